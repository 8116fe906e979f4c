from __future__ import annotations

from rest_framework import serializers

from apps.audit.models import AuditEntry


class EntrySerializer(serializers.Serializer[AuditEntry]):
    """One row of the audit. It gets its number and its hashes some seconds after it was written."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    actor_id = serializers.IntegerField(allow_null=True)
    actor_name = serializers.CharField()
    action = serializers.CharField()
    object_type = serializers.CharField()
    object_id = serializers.CharField()
    object_name = serializers.CharField()
    reason = serializers.CharField()
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)
    request_id = serializers.CharField()
    number = serializers.IntegerField(allow_null=True)
    previous_hash = serializers.CharField()
    hash = serializers.CharField()
