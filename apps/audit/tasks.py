from __future__ import annotations

from celery import shared_task

from apps.audit import worker


@shared_task(name="audit.seal", ignore_result=True)
def seal() -> None:
    """Number the rows that were committed. Safe to run twice: one works, the other leaves."""
    worker.seal()


@shared_task(name="audit.head", ignore_result=True)
def head() -> None:
    """Write the last number and hash to the log."""
    worker.head_log()
