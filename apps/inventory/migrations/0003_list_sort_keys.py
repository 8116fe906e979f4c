import apps.core.fields
from apps.core.fields import natural_key
from django.db import migrations, models


def keys_fill(apps, schema_editor):
    for model, source, key in (("Server", "name", "name_key"), ("Bmc", "address", "address_key")):
        rows = apps.get_model("inventory", model).objects.only("pk", source)
        batch = []
        for row in rows.iterator(chunk_size=1000):
            setattr(row, key, natural_key(getattr(row, source)))
            batch.append(row)
        apps.get_model("inventory", model).objects.bulk_update(batch, [key], batch_size=500)


class Migration(migrations.Migration):

    dependencies = [
        ('inventory', '0002_inventory_whole'),
    ]

    operations = [
        migrations.AddField(
            model_name='server',
            name='name_key',
            field=apps.core.fields.NaturalKeyField(source='name'),
        ),
        migrations.AddField(
            model_name='bmc',
            name='address_key',
            field=apps.core.fields.NaturalKeyField(source='address'),
        ),
        migrations.RunPython(keys_fill, migrations.RunPython.noop, elidable=True),
        migrations.AddIndex(
            model_name='server',
            index=models.Index(fields=['name_key', 'name'], name='server_by_natural_name'),
        ),
    ]
