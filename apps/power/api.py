"""Power orders over REST."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from http import HTTPStatus

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework.response import Response

from apps.audit.api import idempotent, once
from apps.bmc import PowerAction
from apps.core.api import ApiRequest, api_view, valid
from apps.core.api_docs import KEY, PK, acts
from apps.core.problems import Problem, refused
from apps.inventory.selectors import servers_full
from apps.jobs.api import job_accepted
from apps.jobs.models import Job
from apps.jobs.serializers import JobDetailSerializer
from apps.jobs.services import RequestKeyReused
from apps.power.choices import IDENTIFY_SECONDS
from apps.power.selectors import may_order
from apps.power.serializers import IdentifyBody, OrderBody
from apps.power.services import ServerProtected, identify_order, power_order

ACTION = OpenApiParameter(
    "action", str, OpenApiParameter.PATH, enum=[action.value for action in PowerAction]
)


@acts(
    "server_power", "Order a power action", "servers", JobDetailSerializer,
    body=OrderBody, status=202, parameters=[PK, ACTION, KEY],
)  # fmt: skip
@api_view("POST")
@idempotent
def server_power(request: ApiRequest, pk: int, action: str) -> Response:
    """The job reads the state, sends at most one command, and reads what became of it.

    202 says that the order is kept, not that anything was sent: follow `Location`.
    """
    server = get_object_or_404(servers_full(request.user), pk=pk)
    wanted = _action(action)
    if not may_order(request.user, server, wanted):
        raise PermissionDenied
    body = valid(OrderBody, request)

    escalate = body.get("escalate", False)
    if escalate and wanted is not PowerAction.SOFT_OFF:
        raise Problem(422, errors={"escalate": [_("Only soft_off can be followed by hard off.")]})

    def order(key: uuid.UUID | None) -> Job:
        return power_order(
            server=server,
            action=wanted,
            actor=request.user,
            reason=body.get("reason", ""),
            request_key=key,
            grace_seconds=body.get("grace_seconds"),
            escalate=escalate,
        )

    return once(request, lambda key: _ordered(request, lambda: order(key)))


@acts(
    "server_identify", "Light the identify LED", "servers", JobDetailSerializer,
    body=IdentifyBody, status=202, parameters=[PK, KEY],
)  # fmt: skip
@api_view("POST")
@idempotent
def server_identify(request: ApiRequest, pk: int) -> Response:
    """Allowed on protected servers too: it interrupts nothing."""
    server = get_object_or_404(servers_full(request.user), pk=pk)
    body = valid(IdentifyBody, request)

    def order(key: uuid.UUID | None) -> Job:
        return identify_order(
            server=server,
            actor=request.user,
            seconds=body.get("seconds", IDENTIFY_SECONDS),
            reason=body.get("reason", ""),
            request_key=key,
        )

    return once(request, lambda key: _ordered(request, lambda: order(key)))


def _ordered(request: ApiRequest, order: Callable[[], Job]) -> Response:
    """Answer 202 with the job, or with the problem why there is none."""
    try:
        job = order()
    except RequestKeyReused:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_key_reused") from None
    except ServerProtected as error:
        raise Problem(HTTPStatus.CONFLICT, "protected", error.reason) from None
    except ValidationError as error:
        raise refused(error) from None
    job.refresh_from_db()
    return job_accepted(request, job)


def _action(text: str) -> PowerAction:
    try:
        return PowerAction(text)
    except ValueError:
        raise Http404 from None
