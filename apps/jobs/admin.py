from __future__ import annotations

from django.contrib import admin

from apps.core.admin import ReadOnlyAdmin
from apps.jobs.models import BmcLease, CommandAttempt, Job, JobTarget, Worker


class JobTargetInline(ReadOnlyAdmin, admin.TabularInline):  # type: ignore[type-arg]  # not generic at run time
    model = JobTarget
    fields = ("server_name", "state", "state_at", "result", "result_params", "worker", "ended_at")
    extra = 0


class CommandAttemptInline(ReadOnlyAdmin, admin.TabularInline):  # type: ignore[type-arg]  # not generic at run time
    model = CommandAttempt
    fields = ("command", "intent_at", "sent_at", "answered_at", "outcome", "worker", "fence")
    extra = 0


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    list_display = ("pk", "kind", "params", "actor_name", "created_at", "finished_at")
    list_filter = ("kind",)
    inlines = (JobTargetInline,)


@admin.register(JobTarget)
class JobTargetAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    list_display = ("pk", "job", "server_name", "state", "state_at", "result", "worker")
    list_filter = ("state",)
    list_select_related = ("job",)
    inlines = (CommandAttemptInline,)


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    list_display = ("name", "site", "host", "pid", "started_at", "heartbeat_at", "stopping_at")
    list_select_related = ("site",)


@admin.register(BmcLease)
class BmcLeaseAdmin(ReadOnlyAdmin, admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    list_display = ("bmc", "holder", "token", "expires_at")
    list_select_related = ("bmc",)
