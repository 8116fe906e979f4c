from __future__ import annotations

from typing import Final

from rest_framework import serializers

from apps.accounts.models import ApiToken
from apps.accounts.services.bearer import Pair
from apps.accounts.services.tokens import LONGEST_DAYS
from apps.clusters.choices import Role
from apps.core.api_fields import Body, Choice, Number, Text

MOST_PASSWORD: Final = 4096


class _Password(serializers.CharField):
    """Goes in as it is and never comes out."""

    def __init__(self) -> None:
        super().__init__(write_only=True, trim_whitespace=False, max_length=MOST_PASSWORD)

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class SignInBody(Body):
    username = Text(max_length=150)
    password = _Password()
    code = Text(
        max_length=32,
        required=False,
        allow_null=True,
        allow_blank=True,
        help_text="Of the authenticator app, or a recovery code; where the account has one.",
    )


class RefreshBody(Body):
    refresh_token = Text(max_length=4000)


class PairSerializer(serializers.Serializer[Pair]):
    access_token = serializers.CharField(source="access")
    refresh_token = serializers.CharField(source="refresh")
    token_type = serializers.CharField(help_text="Bearer.")
    expires_in = serializers.IntegerField(help_text="Seconds.")
    refresh_expires_in = serializers.IntegerField(help_text="Seconds.")


class ApiTokenBody(Body):
    name = Text(max_length=64, help_text="What it is for.")
    role = Choice(
        choices=Role.choices, default=Role.READONLY, help_text="The most it may do (readonly)."
    )
    days = Number(
        min_value=1, max_value=LONGEST_DAYS, default=30, help_text="Until it expires (30)."
    )


class ApiTokenSerializer(serializers.Serializer[ApiToken]):
    id = serializers.IntegerField()
    url = serializers.HyperlinkedIdentityField(view_name="accounts_api:token_detail")
    name = serializers.CharField()
    role = serializers.ChoiceField(choices=Role.choices, source="role_ceiling")
    created_at = serializers.DateTimeField(source="created")
    expires_at = serializers.DateTimeField(source="expiry")
    is_live = serializers.BooleanField(help_text="It has not expired.")
    last_used_at = serializers.DateTimeField(allow_null=True)
    last_used_from = serializers.IPAddressField(allow_null=True)


class NewApiTokenSerializer(ApiTokenSerializer):
    token = serializers.SerializerMethodField(help_text="It is told this once.")

    def get_token(self, _: ApiToken) -> str:
        secret: str = self.context["secret"]
        return secret
