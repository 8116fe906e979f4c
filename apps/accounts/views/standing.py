"""What admins do to somebody's access: each is a question first, as dialog or page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.accounts.forms.people import ActForm, SignOutForm
from apps.accounts.models import User
from apps.accounts.services import password_links, standing
from apps.accounts.services.rights import not_themselves
from apps.accounts.views.links import link_answer
from apps.accounts.views.people import admin_page, crumbs_of
from apps.audit.pages import posted
from apps.core.http import HtmxHttpRequest, is_fragment, redirect_after_post

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    Text = str | _StrPromise


@dataclass(frozen=True, slots=True)
class Act:
    """One thing to do, in words."""

    name: str
    """The URL name after "user_"."""
    title: Text
    consequences: Sequence[Text]
    label: Text
    done: Text
    service: Callable[..., Any]
    own: Text = ""
    """What is said to admins who mean themselves; empty: that nobody ends their own access."""
    is_danger: bool = False
    needs_reason: bool = True
    form: type[ActForm] = ActForm
    shows_link: bool = False


_OWN_ACCOUNT: Final = _("You do this for yourself on the page of your account.")

DISABLE: Final = Act(
    "disable",
    _("Disable %(name)s?"),
    [
        _("They cannot sign in, and their sessions end within seconds."),
        _("Their API tokens and links do not work while they are disabled."),
        _("What they did stays in the audit. Jobs they started go on."),
    ],
    _("Disable"),
    _("%(name)s is disabled."),
    standing.person_disable,
    is_danger=True,
)
ENABLE: Final = Act(
    "enable",
    _("Enable %(name)s?"),
    [_("They can sign in again, with the roles they have."), _("Their API tokens work again.")],
    _("Enable"),
    _("%(name)s may sign in again."),
    standing.person_enable,
)
ASK_PASSWORD: Final = Act(
    "ask_password",
    _("Ask %(name)s for a new password?"),
    [_("With the next page they open they have to choose a new one; the present one is asked.")],
    _("Ask for a new password"),
    _("%(name)s has to choose a new password."),
    standing.password_change_ask,
    _OWN_ACCOUNT,
    needs_reason=False,
)
LINK: Final = Act(
    "link",
    _("A new link for %(name)s?"),
    [
        _("You get a link with which they set a new password. It works once, for 3 days."),
        _("Their present password and earlier links stop working now; their sessions end."),
    ],
    _("Make the link"),
    "",
    password_links.password_link_create,
    _OWN_ACCOUNT,
    needs_reason=False,
    shows_link=True,
)
SIGN_OUT: Final = Act(
    "sign_out",
    _("Sign %(name)s out everywhere?"),
    [_("Every session ends within seconds, on every device. They can sign in again.")],
    _("Sign out everywhere"),
    _("Every session of %(name)s has ended."),
    standing.sign_out_everywhere,
    _OWN_ACCOUNT,
    needs_reason=False,
    form=SignOutForm,
)
REMOVE_FACTOR: Final = Act(
    "remove_factor",
    _("Remove the second factor of %(name)s?"),
    [
        _("Authenticator app, security keys and recovery codes are gone; sessions end."),
        _("Until they set up a new one, the password alone lets them in. Make sure it is them."),
    ],
    _("Remove the second factor"),
    _("The second factor of %(name)s is removed."),
    standing.second_factor_remove,
    _OWN_ACCOUNT,
    is_danger=True,
)


@require_http_methods(["GET", "HEAD", "POST"])
def user_disable(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    return _ask(request, pk, DISABLE)


@require_http_methods(["GET", "HEAD", "POST"])
def user_enable(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    return _ask(request, pk, ENABLE)


@require_http_methods(["GET", "HEAD", "POST"])
def user_ask_password(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    return _ask(request, pk, ASK_PASSWORD)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def user_link(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    return _ask(request, pk, LINK)


@require_http_methods(["GET", "HEAD", "POST"])
def user_sign_out(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    return _ask(request, pk, SIGN_OUT)


@require_http_methods(["GET", "HEAD", "POST"])
def user_remove_factor(request: HtmxHttpRequest, pk: int) -> HttpResponse:
    return _ask(request, pk, REMOVE_FACTOR)


def _ask(request: HtmxHttpRequest, pk: int, act: Act) -> HttpResponse:
    admin_page(request)
    person = get_object_or_404(User, pk=pk)
    form = act.form(posted(request), row=person, needs_reason=act.needs_reason)
    if form.is_valid():
        made = form.attempt(lambda: _do(request.user, person, act, form))
        if made is not None:
            if act.shows_link:
                return link_answer(request, person, made)
            messages.success(request, act.done % {"name": person})
            return redirect_after_post(request, person.get_absolute_url())
    context = {
        "act": act,
        "title": act.title % {"name": person},
        "person": person,
        "form": form,
        "url": reverse(f"accounts:user_{act.name}", args=[pk]),
        "own": (act.own or not_themselves(request.user)) if person.pk == request.user.pk else "",
        "crumbs": crumbs_of(person),
    }
    name = "_user_act.html" if is_fragment(request) else "user_act.html"
    return render(request, f"accounts/{name}", context, status=form.status)


def _do(actor: User, person: User, act: Act, form: ActForm) -> str:
    """Do it; return the key of a new link, else nothing to show."""
    typed = dict(form.cleaned_data)
    typed["expected_version"] = typed.pop("version")
    return act.service(actor=actor, user=person, **typed) or ""
