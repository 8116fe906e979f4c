from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('audit', '0003_chain'),
    ]

    operations = [
        migrations.CreateModel(
            name='RateCount',
            fields=[
                ('key', models.CharField(max_length=100, primary_key=True, serialize=False, verbose_name='key')),
                ('free_at', models.FloatField(db_index=True, verbose_name='all free again')),
            ],
            options={
                'verbose_name': 'rate count',
                'verbose_name_plural': 'rate counts',
            },
        ),
    ]
