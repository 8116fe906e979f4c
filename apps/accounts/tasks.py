from __future__ import annotations

from celery import shared_task

from apps.accounts import worker


@shared_task(name="accounts.sessions_forget", ignore_result=True)
def sessions_forget() -> None:
    """Delete sessions that are over. Safe to run twice."""
    worker.sessions_forget()
