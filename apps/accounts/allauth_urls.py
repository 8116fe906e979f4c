"""The names by which django-allauth asks for pages of the portal. It has no other pages here."""

from __future__ import annotations

from django.urls import path

from apps.accounts.oidc import PROVIDER
from apps.accounts.views import oidc, sign_in

urlpatterns = [
    path("account/sign-in", sign_in.sign_in, name="account_login"),
    path("account/second-factor", sign_in.second_factor, name="mfa_authenticate"),
    path(
        "account/oidc/sign-in", oidc.oidc_start, {"provider_id": PROVIDER}, "openid_connect_login"
    ),
    path(
        "account/oidc/callback",
        oidc.oidc_callback,
        {"provider_id": PROVIDER},
        "openid_connect_callback",
    ),
]
