"""What django-allauth asks the portal: who may come in, where to, and how secrets are kept."""

from __future__ import annotations

from typing import Any, Final

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib.auth import login
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from apps.accounts.devices import device_remember
from apps.accounts.models import User
from apps.audit.services import entry_record
from apps.bmc import Secret
from apps.core.secrets import secret_open, secret_seal

BACKEND: Final = "apps.accounts.backends.GrantBackend"
SECOND_FACTORS: Final = "mfa.authenticator"
"""What their ciphertexts are bound to. Seeds are sealed before their row exists, and the library
does not say whose they are: whoever can write this table could as well take the factor away."""


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """No sign-up, no messages of its own, and every sign-in in the audit."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def add_message(self, *args: Any, **kwargs: Any) -> None:
        """Say nothing: the portal's own pages say what was done."""

    def login(self, request: HttpRequest, user: User) -> None:
        records = get_authentication_records(request, user)
        steps = [record.get("type") or record["method"] for record in records]
        with transaction.atomic():
            login(request, user, backend=BACKEND)
            entry_record(
                actor=user,
                action="accounts.sign_in",
                obj=user,
                after={"proofs": sorted(set(steps))},
            )

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().post_login(request, user, **kwargs)
        device_remember(response, user.pk, user.password)
        return response


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    """Seeds of apps and recovery codes are encrypted as BMC passwords are."""

    def encrypt(self, text: str) -> str:
        return secret_seal(Secret(text), bound_to=SECOND_FACTORS)

    def decrypt(self, encrypted_text: str) -> str:
        return secret_open(encrypted_text, bound_to=SECOND_FACTORS).reveal()

    def get_totp_label(self, user: User) -> str:
        return user.get_username()

    def get_public_key_credential_user_entity(self, user: User) -> dict[str, Any]:
        entity: dict[str, Any] = super().get_public_key_credential_user_entity(user)
        return entity | {"name": user.get_username(), "display_name": str(user)}
