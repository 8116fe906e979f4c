"""How jobs and their targets are told over REST. Everything is selected before."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.core.api_fields import Named
from apps.core.faults import fault_of
from apps.inventory.choices import Power
from apps.jobs.choices import TargetState
from apps.jobs.models import Job, JobTarget


class ResultSerializer(serializers.Serializer[Any]):
    """How it ended. `code` is for programs, the rest for people."""

    code = serializers.CharField()
    title = serializers.CharField()
    cause = serializers.CharField()
    next_step = serializers.CharField()


class TargetSerializer(serializers.Serializer[JobTarget]):
    """One server of a job. `accepted` is not `succeeded`: its effect could not be read."""

    id = serializers.IntegerField()
    server = serializers.SerializerMethodField()
    state = serializers.ChoiceField(TargetState.choices)
    state_at = serializers.DateTimeField()
    is_final = serializers.BooleanField(source="state_enum.is_final")
    not_after = serializers.DateTimeField(help_text="What is not sent by then dies.")
    answered_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    previous_power = serializers.SerializerMethodField()
    final_power = serializers.SerializerMethodField()
    result = serializers.SerializerMethodField()

    @extend_schema_field(Named)
    def get_server(self, target: JobTarget) -> dict[str, Any]:
        return {"id": target.server_id, "name": target.server_name}

    @extend_schema_field(serializers.ChoiceField(Power.choices, allow_null=True))
    def get_previous_power(self, target: JobTarget) -> str | None:
        """What was read before the command."""
        return target.previous_power or None

    @extend_schema_field(serializers.ChoiceField(Power.choices, allow_null=True))
    def get_final_power(self, target: JobTarget) -> str | None:
        """What was read after it."""
        return target.final_power or None

    @extend_schema_field(ResultSerializer(allow_null=True))
    def get_result(self, target: JobTarget) -> dict[str, Any] | None:
        if not target.result:
            return None
        fault = fault_of(target.result, target.result_params)
        return {
            "code": fault.code,
            "title": fault.title,
            "cause": fault.cause,
            "next_step": fault.next_step,
        }


class JobSerializer(serializers.Serializer[Job]):
    """`counts` has the servers that this person sees, by state."""

    id = serializers.IntegerField()
    url = serializers.HyperlinkedIdentityField(view_name="jobs_api:job_detail")
    kind = serializers.CharField()
    params = serializers.DictField()
    actor = serializers.CharField(source="actor_name")
    reason = serializers.CharField()
    created_at = serializers.DateTimeField()
    stop_requested_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    counts = serializers.SerializerMethodField()

    def get_counts(self, job: Job) -> dict[str, int]:
        counts: dict[str, int] = self.context["counts"].get(job.pk, {})
        return counts


class JobDetailSerializer(JobSerializer):
    """A job with its first 200 targets; `targets_url` has all of them."""

    targets_url = serializers.HyperlinkedIdentityField(view_name="jobs_api:job_targets")
    targets = serializers.SerializerMethodField()

    @extend_schema_field(TargetSerializer(many=True))
    def get_targets(self, job: Job) -> Any:
        return TargetSerializer(self.context["targets"], many=True, context=self.context).data


class JobStoppedSerializer(serializers.Serializer[Any]):
    stopped_count = serializers.IntegerField(help_text="Nothing was sent to so many servers.")
    job = JobDetailSerializer()
