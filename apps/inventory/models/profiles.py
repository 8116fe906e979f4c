"""Accounts on BMCs."""

from __future__ import annotations

import uuid
from typing import ClassVar, Self

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.bmc import Credential, Privilege, Secret
from apps.clusters.choices import Role
from apps.clusters.models import Cluster
from apps.clusters.selectors import grants_of, has_everywhere
from apps.core.secrets import secret_open, secret_seal
from apps.inventory.choices import PrivilegeChoice


class CredentialProfileQuerySet(models.QuerySet["CredentialProfile"]):
    def usable_by(self, user: User | AnonymousUser) -> Self:
        """Keep the profiles this person may choose: admins all, operators those opened to them."""
        if has_everywhere(user, Role.ADMIN):
            return self
        grants = grants_of(user, Role.OPERATOR)
        if not grants.exists():
            return self.none()
        opened = models.Q(clusters__in=grants.values("cluster"))
        if grants.filter(cluster__isnull=True).exists():
            opened = models.Q(clusters__isnull=False)
        return self.filter(opened | models.Q(is_open_everywhere=True)).distinct()


class CredentialProfile(models.Model):
    """An account on BMCs. Secrets go in and never come out, but to a BMC inside `networks`."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=64, unique=True)
    username = models.CharField(_("BMC user name"), max_length=16)
    sealed_password = models.TextField(editable=False)
    sealed_kg = models.TextField(editable=False, blank=True)
    privilege = models.PositiveSmallIntegerField(
        _("privilege"), choices=PrivilegeChoice, default=PrivilegeChoice.OPERATOR
    )
    networks = models.JSONField(
        _("networks"),
        default=list,
        help_text=_("The secret is sent to BMCs inside these networks only."),
    )
    is_open_everywhere = models.BooleanField(_("every operator may use it"), default=False)
    clusters = models.ManyToManyField(
        Cluster, blank=True, verbose_name=_("operators of these clusters may use it")
    )
    secret_version = models.PositiveIntegerField(default=1, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[CredentialProfileQuerySet] = CredentialProfileQuerySet.as_manager()  # type: ignore[assignment]  # typed manager

    class Meta:
        verbose_name = _("credential profile")
        verbose_name_plural = _("credential profiles")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> str:
        """Name this very secret: changes whenever what would be sent changes."""
        return f"{self.uuid}.{self.secret_version}"

    def secrets_set(self, *, password: Secret, kg: Secret | None) -> None:
        """Replace both secrets; the caller saves."""
        self.sealed_password = secret_seal(password, bound_to=self.bound_to("password"))
        self.sealed_kg = secret_seal(kg, bound_to=self.bound_to("kg")) if kg else ""

    def credential(self) -> Credential:
        """Decrypt for the session engine; workers only.

        :raises SecretUnreadable: when no key opens the stored text.
        """
        kg = secret_open(self.sealed_kg, bound_to=self.bound_to("kg")) if self.sealed_kg else None
        return Credential(
            username=self.username,
            password=secret_open(self.sealed_password, bound_to=self.bound_to("password")),
            privilege=Privilege(self.privilege),
            kg=kg,
            key=self.key,
        )

    def bound_to(self, field: str) -> str:
        """Return what the ciphertext of "password" or "kg" is bound to: this very row."""
        return f"inventory.credentialprofile.{field}.{self.uuid}"
