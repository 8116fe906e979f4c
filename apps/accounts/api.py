"""How scripts sign in over REST, and the API tokens of who asks."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.decorators import authentication_classes, permission_classes
from rest_framework.permissions import AllowAny
from rest_framework.response import Response

from apps.accounts.doors import (
    CodeNeeded,
    CodeWrong,
    LockedOut,
    Refused,
    WrongCredentials,
    credentials_check,
)
from apps.accounts.models import ApiToken
from apps.accounts.selectors import tokens_of
from apps.accounts.serializers import (
    ApiTokenBody,
    ApiTokenSerializer,
    NewApiTokenSerializer,
    PairSerializer,
    RefreshBody,
    SignInBody,
)
from apps.accounts.services.bearer import (
    Pair,
    TokenRefused,
    script_session_refresh,
    script_session_revoke,
    script_session_start,
)
from apps.accounts.services.tokens import api_token_issue, api_token_revoke
from apps.audit.rates import by_address, rated_api
from apps.clusters.choices import Role
from apps.core.api import ApiRequest, Listing, api_view, gone, is_read, problem_at, shown, valid
from apps.core.api_docs import PK, lists, reads
from apps.core.http import peer_address
from apps.core.problems import Problem

TOKENS: Final = Listing(ApiTokenSerializer, {"-created_at": ("-created",), "name": ("name",)})
_NOBODY_KNOWN: Final = (WrongCredentials, CodeNeeded, CodeWrong)


def _door(
    operation_id: str, summary: str, body: Any, responses: Any
) -> Callable[[Callable[[ApiRequest], Response]], Callable[..., Any]]:
    """Make a view that asks nobody who they are, but counts from where: the body says the rest."""

    def decorate(view: Callable[[ApiRequest], Response]) -> Callable[..., Any]:
        described = extend_schema(
            methods=["POST"],
            operation_id=operation_id,
            summary=summary,
            tags=["signing in"],
            auth=[],
            request=body,
            responses=responses,
        )
        counted = rated_api("token", whose=by_address)(view)
        open_to_all = permission_classes([AllowAny])(authentication_classes([])(counted))
        return described(api_view("POST")(open_to_all))

    return decorate


@_door("auth_token", "Sign in", SignInBody, PairSerializer)
@sensitive_variables("body")
def token_pair(request: ApiRequest) -> Response:
    """Sign in with name and password, and a code where the account has a second factor."""
    body = valid(SignInBody, request)
    try:
        user = credentials_check(
            request=request._request,
            username=body["username"],
            password=body["password"],
            code=body.get("code") or "",
        )
    except Refused as error:
        raise _refused(error) from None
    return _pair(script_session_start(user=user, address=peer_address(request)))


@_door("auth_token_refresh", "Exchange a refresh token", RefreshBody, PairSerializer)
def token_refresh(request: ApiRequest) -> Response:
    """Exchange a refresh token for the next two tokens. It works once: when it comes a second time,
    everything that came from the same sign-in ends."""
    token = valid(RefreshBody, request)["refresh_token"]
    try:
        return _pair(script_session_refresh(token=token, address=peer_address(request)))
    except TokenRefused:
        raise _token_refused() from None


@_door(
    "auth_token_revoke",
    "Sign out",
    RefreshBody,
    {204: OpenApiResponse(description="Every token of this sign-in has ended.")},
)
def token_revoke(request: ApiRequest) -> Response:
    """End everything that came from the same sign-in as this refresh token."""
    token = valid(RefreshBody, request)["refresh_token"]
    try:
        script_session_revoke(token=token)
    except TokenRefused:
        raise _token_refused() from None
    return gone()


@lists("token", TOKENS)
@extend_schema(
    methods=["POST"],
    operation_id="token_create",
    summary="Make an API token",
    tags=["tokens"],
    request=ApiTokenBody,
    responses={201: NewApiTokenSerializer},
)
@api_view("GET", "POST")
def token_list(request: ApiRequest) -> Response:
    """API tokens of who asks. The secret is in the answer to POST and nowhere else, so a POST is
    not repeated by Idempotency-Key."""
    if is_read(request):
        return TOKENS.answer(request, tokens_of(request.user))
    body = valid(ApiTokenBody, request)
    try:
        token, secret = api_token_issue(
            user=request.user,
            days=body["days"],
            name=body["name"],
            role=Role(body["role"]),
            actor=request.user,
            by=request.auth if isinstance(request.auth, ApiToken) else None,
        )
    except ValidationError as error:
        raise problem_at(error) from None
    where = reverse("accounts_api:token_detail", args=[token.pk])
    return shown(
        NewApiTokenSerializer,
        token,
        request,
        status=HTTPStatus.CREATED,
        location=where,
        secret=secret,
    )


@reads("token", ApiTokenSerializer)
@extend_schema(
    methods=["DELETE"],
    operation_id="token_delete",
    summary="Revoke an API token",
    tags=["tokens"],
    parameters=[PK],
    request=None,
    responses={204: OpenApiResponse(description="It is refused from now on.")},
)
@api_view("GET", "DELETE")
def token_detail(request: ApiRequest, pk: int) -> Response:
    """One API token of who asks."""
    token = get_object_or_404(tokens_of(request.user).select_related("user"), pk=pk)
    if is_read(request):
        return shown(ApiTokenSerializer, token, request)
    api_token_revoke(actor=request.user, token=token)
    return gone()


def _pair(pair: Pair) -> Response:
    return Response(PairSerializer(pair).data, headers={"Cache-Control": "no-store"})


def _refused(error: Refused) -> Problem:
    if isinstance(error, LockedOut):
        headers = {"Retry-After": str(error.seconds)}
        return Problem(HTTPStatus.TOO_MANY_REQUESTS, error.code, headers=headers)
    if isinstance(error, _NOBODY_KNOWN):
        headers = {"WWW-Authenticate": "Bearer"}
        return Problem(HTTPStatus.UNAUTHORIZED, error.code, headers=headers)
    return Problem(HTTPStatus.FORBIDDEN, error.code)


def _token_refused() -> Problem:
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return Problem(HTTPStatus.UNAUTHORIZED, "token_refused", headers=headers)
