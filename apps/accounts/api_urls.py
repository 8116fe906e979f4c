"""REST paths by which scripts sign in, and of their tokens."""

from __future__ import annotations

from apps.accounts import api
from apps.core.paths import api_path

app_name = "accounts_api"

urlpatterns = [
    api_path("auth/token", api.token_pair, name="token_pair"),
    api_path("auth/token/refresh", api.token_refresh, name="token_refresh"),
    api_path("auth/token/revoke", api.token_revoke, name="token_revoke"),
    api_path("tokens/", api.token_list, name="token_list"),
    api_path("tokens/<int:pk>", api.token_detail, name="token_detail"),
]
