"""Django admin: for looking things up, by admins only. Changes are made on the portal's own pages.

Apps of others sign in pages of their own, which show secrets or pass the services by. Only pages
that this project wrote are there.
"""

from __future__ import annotations

from functools import wraps
from typing import Any, Final

from django.contrib.admin import AdminSite
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from apps.accounts.views.sign_in import admin_sign_in
from apps.clusters.choices import Role
from apps.clusters.selectors import has_everywhere

OURS: Final = ("apps.", "bmcportal.")
METHODS: Final = ("GET", "HEAD", "POST")
ELSEWHERE: Final = frozenset({"logout", "password_change", "password_change_done"})
"""Signing out and passwords have one page in the portal, which audits them."""


class PortalAdminSite(AdminSite):
    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        # Many at once is done where the portal counts, asks and audits.
        self.disable_action("delete_selected")

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        if admin_class is not None and admin_class.__module__.startswith(OURS):
            super().register(model_or_iterable, admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        """Ask for the role itself: a flag could outlive it."""
        return has_everywhere(request.user, Role.ADMIN)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def for_admins(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if request.user.is_authenticated and not self.has_permission(request):
                raise PermissionDenied
            if request.method not in METHODS:
                return HttpResponseNotAllowed(METHODS)
            return inner(request, *args, **kwargs)

        return for_admins

    def get_urls(self) -> list[Any]:
        return [one for one in super().get_urls() if getattr(one, "name", None) not in ELSEWHERE]

    @method_decorator(require_safe)
    @login_not_required
    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return admin_sign_in(request)
