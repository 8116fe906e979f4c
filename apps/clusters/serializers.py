"""Sites and clusters in REST bodies and answers."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from apps.clusters.models import Cluster, Site
from apps.core.api_fields import Body, Number, Text


class SiteSerializer(serializers.Serializer[Site]):
    id = serializers.IntegerField()
    url = serializers.HyperlinkedIdentityField(view_name="clusters_api:site_detail")
    name = serializers.CharField()
    version = serializers.IntegerField()


class ClusterSerializer(serializers.Serializer[Cluster]):
    id = serializers.IntegerField()
    url = serializers.HyperlinkedIdentityField(view_name="clusters_api:cluster_detail")
    name = serializers.CharField()
    version = serializers.IntegerField()


class _NameBody(Body):
    told = frozenset({"id", "url"})
    kind: type[Cluster] | type[Site]

    name = Text(max_length=64)
    version = Number(required=False, min_value=1, help_text="The version that was read.")

    def validate_name(self, name: str) -> str:
        others = self.kind._default_manager.filter(name=name)
        if (row := self.context.get("row")) is not None:
            others = others.exclude(pk=row.pk)
        if others.exists():
            raise serializers.ValidationError(_("This name is taken."))
        return name


class SiteBody(_NameBody):
    kind = Site


class ClusterBody(_NameBody):
    kind = Cluster


def facts_told(body: dict[str, Any]) -> dict[str, Any]:
    """Return what a body wants, without the version."""
    return {name: value for name, value in body.items() if name != "version"}
