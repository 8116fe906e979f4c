from __future__ import annotations

from django.urls import path

from apps.accounts.views import (
    confirm,
    invitations,
    links,
    people,
    policy,
    profile,
    security,
    sessions,
    sign_in,
    standing,
    tokens,
)
from apps.audit.rates import by_address, is_sent, rated

# A whole office may come from one address; guesses at one account are counted by axes.
many_people = rated("sign_in", whose=by_address, when=is_sent)
with_a_link = rated("invitation", whose=by_address)

app_name = "accounts"
urlpatterns = [
    # Sign-in and its second factor
    path("account/sign-in", many_people(sign_in.sign_in), name="sign_in"),
    path("account/second-factor", many_people(sign_in.second_factor), name="second_factor"),
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
    path("account/", profile.profile, name="profile"),
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
    path("people/", people.user_list, name="user_list"),
    path("people/new", people.user_add, name="user_add"),
    path("people/<int:pk>/", people.user_detail, name="user_detail"),
    path("people/<int:pk>/edit", people.user_edit, name="user_edit"),
    path("people/<int:pk>/roles", people.user_grants, name="user_grants"),
    path("people/<int:pk>/history", people.user_history, name="user_history"),
    path("people/<int:pk>/disable", standing.user_disable, name="user_disable"),
    path("people/<int:pk>/enable", standing.user_enable, name="user_enable"),
    path("people/<int:pk>/ask-password", standing.user_ask_password, name="user_ask_password"),
    path("people/<int:pk>/link", standing.user_link, name="user_link"),
    path("people/<int:pk>/sign-out", standing.user_sign_out, name="user_sign_out"),
    path("people/<int:pk>/remove-factor", standing.user_remove_factor, name="user_remove_factor"),
    path("people/invitations", invitations.invitation_list, name="invitation_list"),
    path("people/invitations/new", invitations.invitation_add, name="invitation_add"),
    path(
        "people/invitations/<int:pk>/revoke",
        invitations.invitation_revoke,
        name="invitation_revoke",
    ),
    path("people/policy", policy.policy_edit, name="policy_edit"),
    path("people/policy/history", policy.policy_history, name="policy_history"),
    # Links that let people in; `bmcportal.logs` never writes what stands behind these paths
    path("account/new-password/<str:key>", with_a_link(links.password_link), name="password_link"),
    path("invitation/<str:key>", with_a_link(links.invitation_accept), name="invitation_accept"),
]
