from __future__ import annotations

from django.urls import path

from apps.accounts.views import profile, sessions, sign_in, tokens

app_name = "accounts"
urlpatterns = [
    # Sign-in and its second factor
    path("account/sign-in", sign_in.sign_in, name="sign_in"),
    path("account/second-factor", sign_in.second_factor, name="second_factor"),
    path("account/sign-out", sign_in.sign_out, name="sign_out"),
    # A person's own settings
    path("account/theme", profile.theme_set, name="theme_set"),
    # Sessions and tokens
    path("account/sessions", sessions.session_list, name="session_list"),
    path("account/sessions/<int:pk>/end", sessions.session_end_one, name="session_end"),
    path(
        "account/sessions/scripts/<int:pk>/end",
        sessions.script_session_end,
        name="script_session_end",
    ),
    path("account/sessions/end-others", sessions.session_end_others, name="session_end_others"),
    path("account/tokens", tokens.token_list, name="token_list"),
    path("account/tokens/add", tokens.token_add, name="token_add"),
    path("account/tokens/<int:pk>/revoke", tokens.token_revoke, name="token_revoke"),
    # People, for admins
]
