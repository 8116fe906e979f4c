"""The four groups that carry the roles; their permissions are set after every migrate."""

from __future__ import annotations

from django.db import migrations

NAMES = ("readonly", "user", "operator", "admin")


def groups_create(apps, schema_editor):
    group = apps.get_model("auth", "Group")
    for name in NAMES:
        group.objects.get_or_create(name=name)


def groups_delete(apps, schema_editor):
    apps.get_model("auth", "Group").objects.filter(name__in=NAMES).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("clusters", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]
    operations = [migrations.RunPython(groups_create, groups_delete)]
