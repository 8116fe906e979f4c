"""Django admin: admins look things up there, nothing is changed there but a lock removed."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.admin import site
from django.test import Client, RequestFactory
from django.urls import reverse

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.clusters.models import RoleGrant
from apps.inventory.models import CredentialProfile
from bmcportal.tests.privileges.admin import MODELS
from bmcportal.tests.privileges.world import world_build

pytestmark = pytest.mark.django_db
CHANGED_THERE = {"axes.accessattempt": {"delete"}}
SECRET_FIELDS = ("digest", "password", "session_key", "token_key", "refresh_key", "auth_hash")


@pytest.fixture
def attempt(db: None) -> AccessAttempt:
    return AccessAttempt.objects.create(
        username="operator", ip_address="0.0.0.0", failures_since_start=10
    )


def test_only_pages_of_this_project_are_there() -> None:
    there = {model._meta.label_lower for model in site._registry}
    assert there == set(MODELS)
    assert not there & {"auth.group", "sessions.session", "accounts.apitoken"}


@pytest.mark.parametrize("label", MODELS)
def test_nothing_is_added_changed_or_deleted_there_but_locks(label: str, admin: User) -> None:
    [found] = [one for model, one in site._registry.items()
               if model._meta.label_lower == label]  # fmt: skip
    request = RequestFactory().get("/admin/")
    request.user = admin
    may = {verb for verb, is_so in found.get_model_perms(request).items() if is_so}
    assert may == {"view"} | CHANGED_THERE.get(label, set())
    assert not found.get_actions(request), "many at once is done on the portal's pages"
    for inline in found.get_inline_instances(request):
        assert not inline.has_add_permission(request, None)
        assert not inline.has_change_permission(request)
        assert not inline.has_delete_permission(request)


def test_no_page_there_shows_what_is_secret(db: None) -> None:
    world = world_build()
    profile = CredentialProfile.objects.get(pk=world.ids["used_profile"])
    person = world.people["operator"]
    secrets = [person.password, profile.sealed_password]
    for label in MODELS:
        name = label.replace(".", "_")
        for path in (f"/admin/{label.replace('.', '/')}/",
                     f"/admin/{label.replace('.', '/')}/{world.ids[name]}/change/"):  # fmt: skip
            answer = world.client("admin").get(path)
            assert answer.status_code == 200, path
            text = answer.content.decode()
            for secret in secrets:
                assert secret not in text
            for field in SECRET_FIELDS:
                assert f"field-{field}" not in text, (path, field)


def test_who_was_admin_is_out_at_once(client: Client, admin: User) -> None:
    client.force_login(admin)
    assert client.get("/admin/").status_code == 200
    RoleGrant.objects.filter(user=admin).delete()
    assert client.get("/admin/").status_code == 403
    assert client.get("/admin/jobs/job/").status_code == 403


def test_a_flag_without_the_role_lets_nobody_in(client: Client, operator: User) -> None:
    User.objects.filter(pk=operator.pk).update(is_staff=True, is_superuser=True)
    client.force_login(operator)
    assert client.get("/admin/").status_code == 403
    assert client.get("/admin/login/").status_code == 403


def test_its_sign_in_is_the_one_of_the_portal(client: Client) -> None:
    answer = client.get("/admin/jobs/job/", follow=True)
    assert [where.partition("?")[0] for where, _status in answer.redirect_chain][-1] == reverse(
        "accounts:sign_in"
    )
    assert client.post("/admin/login/", {"username": "x", "password": "y"}).status_code == 405


def test_passwords_and_signing_out_are_elsewhere(client: Client, admin: User) -> None:
    client.force_login(admin)
    for path in ("password_change/", "password_change/done/", "logout/"):
        assert client.get(f"/admin/{path}").status_code == 404
    page = client.get("/admin/").content.decode()
    assert reverse("accounts:sign_out") in page
    assert "password_change" not in page


def test_its_pages_keep_the_strict_policy(client: Client, admin: User) -> None:
    client.force_login(admin)
    answer: Any = client.get("/admin/")
    assert "unsafe" not in answer["Content-Security-Policy"]


def test_an_admin_removes_a_lock_and_it_is_audited(
    client: Client, admin: User, operator: User, attempt: AccessAttempt
) -> None:
    client.force_login(admin)
    url = f"/admin/axes/accessattempt/{attempt.pk}/delete/"
    change = client.get(url.replace("delete", "change")).content.decode()
    assert "operator" in change
    assert "a-device" not in change
    assert client.post(url, {"post": "yes"}).status_code == 302
    assert not AccessAttempt.objects.exists()
    entry = AuditEntry.objects.get(action="accounts.lock.remove")
    assert (entry.actor, entry.object_id) == (admin, str(operator.pk))
    assert entry.before == {"failures": 10}


def test_nobody_else_removes_a_lock(client: Client, operator: User, attempt: AccessAttempt) -> None:
    client.force_login(operator)
    url = f"/admin/axes/accessattempt/{attempt.pk}/delete/"
    assert client.post(url, {"post": "yes"}).status_code == 403
    assert AccessAttempt.objects.count() == 1


@pytest.mark.parametrize(("label", "page"), [
    ("inventory.server", "/servers/"), ("inventory.credentialprofile", "/profiles/"),
    ("clusters.cluster", "/clusters/"), ("clusters.site", "/sites/"),
    ("accounts.user", "/people/"),
])  # fmt: skip
def test_the_way_to_the_page_that_changes_it_stands_there(db: None, label: str, page: str) -> None:
    world = world_build()
    client = world.client("admin")
    pk = world.ids[label.replace(".", "_")]
    text = client.get(f"/admin/{label.replace('.', '/')}/{pk}/change/").content.decode()
    [link] = re.findall(r'href="([^"]*)" class="viewsitelink"', text)
    answer = client.get(html.unescape(link), follow=True)
    assert answer.status_code == 200
    assert answer.request["PATH_INFO"].startswith(page)
