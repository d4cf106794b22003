"""The door: every request's user, and whether the user may."""

from __future__ import annotations

from contextvars import ContextVar

from aiohttp import web

from beskar7.api.errors import BadRequest, Unauthorized
from emulator.kube.access.authn import AUTHENTICATED, MASTERS, Authenticator, User, account_user
from emulator.kube.access.escalation import Escalation
from emulator.kube.access.rbac import Authorizer
from emulator.kube.access.requestinfo import Attributes, attributes
from emulator.kube.api.http import Target

_user: ContextVar[User | None] = ContextVar("user", default=None)
_MAX_GROUPS = 64
_ACCOUNT = "system:serviceaccount:"


class Access:
    """Authentication, impersonation and authorization of requests."""

    def __init__(self, authenticator: Authenticator, authorizer: Authorizer) -> None:
        self.authenticator = authenticator
        self.authorizer = authorizer
        self.admission = Escalation(authorizer, _user.get)

    def admit(self, request: web.BaseRequest, asked: Target) -> User:
        """Raises ``Unauthorized``, ``Forbidden`` and ``BadRequest``."""
        headers = request.headers
        user = self.authenticator.authenticate(headers.get("Authorization", ""))
        if "Impersonate-User" in headers or "Impersonate-Group" in headers:
            user = self._impersonate(request, user)
        _user.set(user)
        if MASTERS not in user.groups:
            self.authorizer.check(user, attributes(request.method, asked.path, asked.query))
        return user

    def _impersonate(self, request: web.BaseRequest, user: User) -> User:
        """``kubectl --as``: the real user must be allowed to be the other."""
        name = request.headers.get("Impersonate-User", "")
        groups = request.headers.getall("Impersonate-Group", [])[:_MAX_GROUPS]
        if not name:
            raise BadRequest("Impersonate-Group without Impersonate-User")
        account = name.removeprefix(_ACCOUNT).split(":") if name.startswith(_ACCOUNT) else []
        if len(account) == 2:
            asked = Attributes("impersonate", "", "serviceaccounts", "", account[0], account[1])
        else:
            asked = Attributes("impersonate", "", "users", name=name)
        self.authorizer.check(user, asked)
        for group in groups:
            self.authorizer.check(user, Attributes("impersonate", "", "groups", name=group))
        if len(account) == 2 and not groups:
            return account_user(*account)
        return User(name, tuple(dict.fromkeys([*groups, AUTHENTICATED])))


def current_user() -> User:
    """Who sent the request that is being answered. Raises ``Unauthorized`` outside of one."""
    user = _user.get()
    if user is None:
        raise Unauthorized("Unauthorized")
    return user
