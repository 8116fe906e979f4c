import uuid
from datetime import timedelta

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

OLD_NAME = 'manage.py api_token'


def tokens_move(apps, schema_editor):
    """Tokens made before go on working: same hash, same end, everything that their person may.

    Their table goes: no model has it any more, so a flush would stumble over what it refers to.
    """
    old_model = apps.get_model('knox', 'AuthToken')
    new_tokens = apps.get_model('accounts', 'ApiToken').objects.using(schema_editor.connection.alias)
    for old in old_model.objects.using(schema_editor.connection.alias).order_by('created'):
        new = new_tokens.create(
            user_id=old.user_id,
            digest=old.digest,
            token_key=old.token_key,
            expiry=old.expiry or old.created + timedelta(days=366),
            name=OLD_NAME,
            role_ceiling='admin',
        )
        new_tokens.filter(pk=new.pk).update(created=old.created)
    schema_editor.delete_model(old_model)


def tokens_move_back(apps, schema_editor):
    """A token that may do less than its person has no place there: it is left out."""
    old_model = apps.get_model('knox', 'AuthToken')
    schema_editor.create_model(old_model)
    old_tokens = old_model.objects.using(schema_editor.connection.alias)
    new_tokens = apps.get_model('accounts', 'ApiToken').objects.using(schema_editor.connection.alias)
    for new in new_tokens.filter(role_ceiling='admin'):
        old = old_tokens.create(
            user_id=new.user_id, digest=new.digest, token_key=new.token_key, expiry=new.expiry
        )
        old_tokens.filter(pk=old.pk).update(created=new.created)


def sessions_end(apps, schema_editor):
    """Everybody signs in once more: nothing tells whose the sessions of before are."""
    apps.get_model('sessions', 'Session').objects.using(schema_editor.connection.alias).all().delete()


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_people_and_policy'),
        ('knox', '0009_extend_authtoken_field'),
        ('sessions', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='ApiToken',
            fields=[
                ('token_key', models.CharField(db_index=True, max_length=25)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('digest', models.CharField(editable=False, max_length=128, unique=True)),
                ('name', models.CharField(max_length=64, verbose_name='name')),
                ('role_ceiling', models.CharField(choices=[('readonly', 'Read only'), ('user', 'User'), ('operator', 'Operator'), ('admin', 'Admin')], default='readonly', max_length=16, verbose_name='may do at most')),
                ('expiry', models.DateTimeField(verbose_name='expires')),
                ('last_used_at', models.DateTimeField(editable=False, null=True, verbose_name='last used')),
                ('last_used_from', models.GenericIPAddressField(editable=False, null=True, verbose_name='last used from')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='api_tokens', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'API token',
                'verbose_name_plural': 'API tokens',
                'ordering': ['-pk'],
            },
        ),
        migrations.CreateModel(
            name='ScriptSession',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('refresh_key', models.UUIDField(default=uuid.uuid4, editable=False)),
                ('auth_hash', models.CharField(editable=False, max_length=128)),
                ('address', models.GenericIPAddressField(editable=False, null=True, verbose_name='address')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='signed in')),
                ('last_seen_at', models.DateTimeField(default=django.utils.timezone.now, editable=False, verbose_name='last seen')),
                ('expires_at', models.DateTimeField(editable=False, verbose_name='expires')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='script_sessions', to=settings.AUTH_USER_MODEL, verbose_name='user')),
            ],
            options={
                'verbose_name': 'session of a script',
                'verbose_name_plural': 'sessions of scripts',
                'ordering': ['-pk'],
            },
        ),
        migrations.RunPython(tokens_move, tokens_move_back),
        migrations.RunPython(sessions_end, migrations.RunPython.noop),
    ]
