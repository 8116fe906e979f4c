"""What every door asks before somebody comes in: password, second factor, policy.

One counting and one lock-out for all of them: the sign-in page, the token door of the API, and
whatever asks for the password again.
"""

from __future__ import annotations

from typing import Any, Final, cast

from allauth.mfa.models import Authenticator
from django.contrib.auth import authenticate
from django.db import transaction
from django.http import HttpRequest

from apps.accounts.keys import answer_proves
from apps.accounts.models import User
from apps.accounts.selectors import (
    has_second_factor,
    password_change_needed,
    second_factor_needed,
)
from apps.accounts.services.factors import code_use
from apps.accounts.tries import Try, name_known, pause, try_give_back, try_take
from apps.audit.services import entry_record

_LONGEST_CODE: Final = 32


class Refused(Exception):
    """Nobody comes in. `code` is for programs."""

    code = "refused"


class WrongCredentials(Refused):
    """Name or password is not right, or the account is switched off: it is not said which."""

    code = "wrong_credentials"


class LockedOut(Refused):
    """Too many tries; none is checked for that many seconds, right or wrong."""

    code = "locked_out"

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class CodeNeeded(Refused):
    """The password is right, and the account has a second factor: send its code, too."""

    code = "second_factor_code_needed"


class CodeWrong(Refused):
    """The code is not right, or it was used before."""

    code = "second_factor_code_wrong"


class FactorMissing(Refused):
    """The policy asks for a second factor, and this person has none yet."""

    code = "second_factor_missing"


class PasswordChangeNeeded(Refused):
    """Somebody else set this password: its person chooses another one first, on the pages."""

    code = "password_change_needed"


def credentials_check(
    *, request: HttpRequest, username: str, password: str, code: str = ""
) -> User:
    """Return who this is, for doors without pages. An app's code or a recovery code is `code`.

    It must not run inside a transaction that is rolled back: the count of tries would be, too.

    :raises Refused: one of its kinds above.
    """
    user = password_check(request=request, username=username, password=password)
    if has_second_factor(user):
        if not code:
            raise CodeNeeded
        code_check(request=request, user=user, code=code)
    elif second_factor_needed(user):
        raise FactorMissing
    if password_change_needed(user):
        raise PasswordChangeNeeded
    return user


def password_check(*, request: HttpRequest, username: str, password: str) -> User:
    """Return whose password this is. It costs one hash, whether the name is known or not.

    :raises WrongCredentials: whatever is wrong.
    :raises LockedOut: nothing was checked, or this was the last try.
    """
    # A request of the REST framework is a wrapper; the cookies and the try belong to the inner one.
    request = cast(HttpRequest, getattr(request, "_request", request))
    found = authenticate(request, username=name_known(username), password=password)
    taken: Try = request.sign_in_try  # type: ignore[attr-defined]  # set by TriesHandler
    if isinstance(found, User):
        try_give_back(taken)
        return found
    _refuse(taken)
    raise WrongCredentials


def code_check(*, request: HttpRequest, user: User, code: str) -> Authenticator:
    """Return what this code of an app, or recovery code, belongs to; it is used up.

    :raises CodeWrong: it is none, or was used before.
    :raises LockedOut: nothing was checked, or this was the last try.
    """
    taken = _try_begin(request, user)
    found = code_use(user=user, code=code[:_LONGEST_CODE])
    return _judged(taken, found)


def key_check(*, request: HttpRequest, user: User, answer: Any) -> Authenticator:
    """Return the security key that gave this answer; counted and refused as codes are."""
    taken = _try_begin(request, user)
    found = answer_proves(user, answer)
    if found is not None:
        found.record_usage()
    return _judged(taken, found)


def _try_begin(request: HttpRequest, user: User) -> Try:
    taken = try_take(getattr(request, "_request", request), user.get_username())
    if taken.seconds:
        raise LockedOut(taken.seconds)
    return taken


def _judged(taken: Try, found: Authenticator | None) -> Authenticator:
    if found is None:
        _refuse(taken)
        raise CodeWrong
    try_give_back(taken)
    return found


def _refuse(taken: Try) -> None:
    if taken.seconds:
        raise LockedOut(taken.seconds)
    if taken.was_last:
        _lock_out_tell(taken)
        raise LockedOut(int(pause().total_seconds()))


def _lock_out_tell(taken: Try) -> None:
    """Tell the audit once a pause, not each guess."""
    user = User.objects.filter(username=taken.name).first()
    if user is not None:
        after = {"tries": taken.number, "known_device": bool(taken.device)}
        with transaction.atomic():
            entry_record(actor=None, action="accounts.sign_in.failed", obj=user, after=after)
