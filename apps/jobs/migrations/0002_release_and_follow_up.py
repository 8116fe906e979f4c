from __future__ import annotations

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="job",
            name="follows",
            field=models.OneToOneField(
                editable=False,
                help_text="The target whose end ordered this job, as its person chose before.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="follow_up",
                to="jobs.jobtarget",
                verbose_name="follows",
            ),
        ),
        migrations.AddField(
            model_name="jobtarget",
            name="release_at",
            field=models.DateTimeField(
                db_default=django.db.models.functions.datetime.Now(),
                help_text="Until then nothing is sent, and a person may still cancel.",
                verbose_name="released",
            ),
        ),
    ]
