from __future__ import annotations

from django.urls import path

from apps.accounts.views import confirm, profile, security, sign_in

app_name = "accounts"
urlpatterns = [
    # Sign-in and its second factor
    path("account/sign-in", sign_in.sign_in, name="sign_in"),
    path("account/second-factor", sign_in.second_factor, name="second_factor"),
    path("account/sign-out", sign_in.sign_out, name="sign_out"),
    path("account/confirm", confirm.confirm, name="confirm"),
    path("account/security", security.security, name="security"),
    path("account/security/password", security.password_change, name="password_change"),
    path("account/security/app", security.app_add, name="app_add"),
    path("account/security/app/remove", security.app_remove, name="app_remove"),
    path("account/security/keys", security.key_add, name="key_add"),
    path("account/security/keys/<int:pk>/remove", security.key_remove, name="key_remove"),
    path("account/security/recovery-codes", security.recovery_codes_new, name="recovery_codes_new"),
    # A person's own settings
    path("account/theme", profile.theme_set, name="theme_set"),
    # Sessions and tokens
    # People, for admins
]
