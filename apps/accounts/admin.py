from __future__ import annotations

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import AccessPolicy, Invitation, User
from apps.clusters.models import RoleGrant
from apps.core.admin import ReadOnlyAdmin

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


class GrantInline(ReadOnlyAdmin, admin.TabularInline):  # type: ignore[type-arg]  # not generic at run time
    model = RoleGrant
    extra = 0


@admin.register(User)
class UserAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Changed on the portal's own pages ("View on site"), which write the audit entry."""

    list_display = ("username", "email", "first_name", "last_name", "is_active", "last_login")
    list_filter = ("is_active", "grants__role")
    search_fields = ("username", "email", "first_name", "last_name")
    inlines = (GrantInline,)
    # The hash of a password is nobody's business, groups and superuser are not used.
    exclude = ("password", "groups", "user_permissions", "is_superuser")


@admin.register(AccessPolicy)
class AccessPolicyAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    list_display = ("second_factor_from", "registration")


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    list_display = ("name", "role", "is_everywhere", "invited_by", "expires_at", "used_at")
    search_fields = ("name", "email")
