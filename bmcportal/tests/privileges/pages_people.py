"""Pages about people: the door, their own account, and what is open to machines."""

from __future__ import annotations

from typing import Final

from bmcportal.tests.privileges.rows import Area, area

# Method, path, body, then the answers to: admin, operator, user, readonly, outsider, nobody.
DOOR: Final[Area] = area(
    "Sign-in and one's own account",
    "Everybody sees and changes their own account only. Links with a key are open: the key is the "
    "right.",
    ("GET", "account/sign-in", None, (302, 302, 302, 302, 302, 200)),
    ("POST", "account/sign-in", {}, (302, 302, 302, 302, 302, 422)),
    ("GET", "account/second-factor", None, (302, 302, 302, 302, 302, 302), "after the password"),
    ("POST", "account/second-factor", {}, (302, 302, 302, 302, 302, 302), "after the password"),
    ("POST", "account/sign-out", {}, (302, 302, 302, 302, 302, 302), "to the sign-in page"),
    ("GET", "account/", None, (200, 200, 200, 200, 200, 302)),
    ("POST", "account/", {}, (303, 303, 303, 303, 303, 302)),
    ("POST", "account/theme", {"theme": "dark"}, (303, 303, 303, 303, 303, 302)),
    ("POST", "language/", {"language": "en"}, (302, 302, 302, 302, 302, 302), "open: a cookie"),
    ("POST", "account/oidc/sign-in", {}, (302, 302, 302, 302, 302, 404), "when configured"),
    ("GET", "account/oidc/callback", None, (302, 302, 302, 302, 302, 404), "when configured"),
    ("GET", "account/new-password/no-such-key", None, (404,) * 6),
    ("POST", "account/new-password/no-such-key", {}, (404,) * 6),
    ("GET", "invitation/no-such-key", None, (404,) * 6),
    ("POST", "invitation/no-such-key", {}, (404,) * 6),
)

PROOF: Final = "the password anew, when it was long ago"
OWN: Final[Area] = area(
    "One's own second factors, sessions and tokens",
    "",
    ("GET", "account/confirm", None, (200, 200, 200, 200, 200, 302)),
    ("POST", "account/confirm", {}, (422, 422, 422, 422, 422, 302)),
    ("GET", "account/security", None, (200, 200, 200, 200, 200, 302)),
    ("GET", "account/security/password", None, (200, 200, 200, 200, 200, 302)),
    ("POST", "account/security/password", {}, (422, 422, 422, 422, 422, 302)),
    ("GET", "account/security/app", None, (303, 303, 303, 303, 303, 302), PROOF),
    ("POST", "account/security/app", {}, (303, 303, 303, 303, 303, 302), PROOF),
    ("GET", "account/security/app/remove", None, (303, 303, 303, 303, 303, 302), PROOF),
    ("POST", "account/security/app/remove", {}, (303, 303, 303, 303, 303, 302), PROOF),
    ("GET", "account/security/keys", None, (303, 303, 303, 303, 303, 302), PROOF),
    ("POST", "account/security/keys", {}, (303, 303, 303, 303, 303, 302), PROOF),
    ("GET", "account/security/keys/{mfa_authenticator}/remove", None, (303,) * 5 + (302,), PROOF),
    ("POST", "account/security/keys/{mfa_authenticator}/remove", {}, (303,) * 5 + (302,), PROOF),
    ("POST", "account/security/recovery-codes", {}, (303, 303, 303, 303, 303, 302), PROOF),
    ("GET", "account/sessions", None, (200, 200, 200, 200, 200, 302)),
    ("POST", "account/sessions/{usersessions_usersession}/end", {}, (404, 404, 303, 404, 404, 302)),
    ("POST", "account/sessions/scripts/{script_session}/end", {}, (303, 404, 404, 404, 404, 302)),
    ("POST", "account/sessions/end-others", {}, (303, 303, 303, 303, 303, 302)),
    ("GET", "account/tokens", None, (200, 200, 200, 200, 200, 302)),
    ("GET", "account/tokens/add", None, (200, 200, 200, 200, 200, 302)),
    ("POST", "account/tokens/add", {}, (422, 422, 422, 422, 422, 302)),
    ("GET", "account/tokens/{token}/revoke", None, (200, 200, 200, 200, 200, 302)),
    ("POST", "account/tokens/{token}/revoke", {}, (303, 303, 303, 303, 303, 302)),
    ("GET", "account/tokens/{foreign_token}/revoke", None, (404, 404, 404, 404, 404, 302)),
    ("POST", "account/tokens/{foreign_token}/revoke", {}, (404, 404, 404, 404, 404, 302)),
)

PEOPLE: Final[Area] = area(
    "People",
    "For admins.",
    ("GET", "people/", None, (200, 403, 403, 403, 403, 302)),
    ("GET", "people/new", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "people/new", "person", (200, 403, 403, 403, 403, 302)),
    ("GET", "people/{accounts_user}/", None, (200, 403, 403, 403, 403, 302)),
    ("GET", "people/{accounts_user}/edit", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "people/{accounts_user}/edit", "person", (303, 403, 403, 403, 403, 302)),
    ("GET", "people/{accounts_user}/roles", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "people/{accounts_user}/roles", "reasoned", (303, 403, 403, 403, 403, 302)),
    ("GET", "people/{accounts_user}/history", None, (200, 403, 403, 403, 403, 302)),
    ("GET", "people/{accounts_user}/disable", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "people/{accounts_user}/disable", "reasoned", (303, 403, 403, 403, 403, 302)),
    ("GET", "people/{accounts_user}/enable", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "people/{accounts_user}/enable", "reasoned", (303, 403, 403, 403, 403, 302)),
    ("GET", "people/{accounts_user}/ask-password", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "people/{accounts_user}/ask-password", "reasoned", (303, 403, 403, 403, 403, 302)),
    ("GET", "people/{accounts_user}/link", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "people/{accounts_user}/link", "reasoned", (200, 403, 403, 403, 403, 302)),
    ("GET", "people/{accounts_user}/sign-out", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "people/{accounts_user}/sign-out", "reasoned", (303, 403, 403, 403, 403, 302)),
    ("GET", "people/{with_factor}/remove-factor", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "people/{with_factor}/remove-factor", "reasoned", (303, 403, 403, 403, 403, 302)),
    ("GET", "people/invitations", None, (200, 403, 403, 403, 403, 302)),
    ("GET", "people/invitations/new", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "people/invitations/new", {}, (422, 403, 403, 403, 403, 302)),
    (
        "POST",
        "people/invitations/{accounts_invitation}/revoke",
        {},
        (303, 403, 403, 403, 403, 302),
    ),
    ("GET", "people/policy", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "people/policy", {}, (422, 403, 403, 403, 403, 302)),
    ("GET", "people/policy/history", None, (200, 403, 403, 403, 403, 302)),
)

AUDIT: Final[Area] = area(
    "Audit",
    "For admins.",
    ("GET", "audit/", None, (200, 403, 403, 403, 403, 302)),
    ("POST", "audit/export", {"format": "csv"}, (200, 403, 403, 403, 403, 302)),
)

MACHINES: Final[Area] = area(
    "Health and metrics",
    "`/healthz` and `/readyz` are open: they name parts of the portal, no address, no person and "
    "no server. `/metrics` goes beyond any cluster, so it is for people and tokens with a role "
    "everywhere; it holds totals, the names of sites and of worker processes.",
    ("GET", "healthz", None, (200, 200, 200, 200, 200, 200)),
    ("GET", "readyz", None, (200, 200, 200, 200, 200, 200), "503 while a part is missing"),
    ("GET", "metrics", None, (200, 403, 403, 403, 403, 401)),
)

AREAS: Final = (DOOR, OWN, PEOPLE, AUDIT, MACHINES)
