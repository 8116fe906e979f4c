from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    name = "apps.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apps.accounts import receivers
        from apps.accounts.services import role_permissions_set
        from apps.accounts.words import ACTIONS, KINDS, LABELS
        from apps.audit.words import words_register

        words_register(actions=ACTIONS, labels=LABELS, kinds=KINDS)
        post_migrate.connect(role_permissions_set, dispatch_uid="role_permissions")
        receivers.connect()
