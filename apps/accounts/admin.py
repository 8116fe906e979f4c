from __future__ import annotations

from typing import Any

from allauth.mfa.admin import Authenticator
from allauth.usersessions.admin import UserSession
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.forms import BaseModelForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.accounts.services import grants_told, staff_follow
from apps.audit.services import entry_record
from apps.clusters.models import RoleGrant
from apps.core.admin import ReadOnlyAdmin

# Imported from where they are registered, so that is done already.
admin.site.unregister([Group, Authenticator, UserSession])
admin.site.site_header = admin.site.site_title = _("BMC Portal administration")
admin.site.index_title = _("People and records")


@admin.register(Authenticator)
class AuthenticatorAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Second factors, without what is secret in them."""

    list_display = fields = ("user", "type", "created_at", "last_used_at")
    list_select_related = ("user",)


@admin.register(UserSession)
class UserSessionAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Sessions, without the key that is in the cookie."""

    list_display = fields = ("user", "ip", "user_agent", "created_at", "last_seen_at")
    list_select_related = ("user",)


class GrantInline(admin.TabularInline):  # type: ignore[type-arg]  # not generic at run time
    model = RoleGrant
    extra = 0


@admin.register(User)
class UserAdmin(DjangoUserAdmin):  # type: ignore[type-arg]  # not generic at run time
    """People and their grants. Groups and superuser are not used, so they are not shown."""

    list_display = ("username", "email", "first_name", "last_name", "is_active", "last_login")
    list_filter = ("is_active", "grants__role")
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined", "is_staff")
    inlines = (GrantInline,)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Person"), {"fields": ("first_name", "last_name", "email", "theme")}),
        (_("Access"), {"fields": ("is_active", "is_staff", "last_login", "date_joined")}),
    )

    def save_model(
        self, request: HttpRequest, obj: User, form: BaseModelForm[User], change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        fields = sorted(form.changed_data)
        after = {"fields": fields, "is_active": obj.is_active}
        verb = "update" if change else "create"
        self._tell(request, f"accounts.user.{verb}", obj, None, after)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        user: User = form.instance
        before = grants_told(user)
        super().save_related(request, form, formsets, change)
        staff_follow(user=user)
        after = grants_told(user)
        if before != after:
            self._tell(request, "accounts.grants.update", user, before, after)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """People are disabled, not deleted: the record of what they did stays whole."""
        return False

    def _tell(
        self,
        request: HttpRequest,
        action: str,
        user: User,
        before: dict[str, Any] | None,
        after: dict[str, Any] | None,
    ) -> None:
        actor: User = request.user  # type: ignore[assignment]  # the admin site lets no one else in
        entry_record(actor=actor, action=action, obj=user, before=before, after=after)
