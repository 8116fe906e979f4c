"""REST paths of jobs."""

from __future__ import annotations

from apps.core.paths import api_path
from apps.jobs import api

app_name = "jobs_api"

urlpatterns = [
    api_path("jobs/", api.job_list, name="job_list"),
    api_path("jobs/<int:pk>", api.job_detail, name="job_detail"),
    api_path("jobs/<int:pk>/targets", api.job_targets, name="job_targets"),
    api_path("jobs/<int:pk>/stop", api.job_stop_view, name="job_stop"),
]
