"""SessionService: log-in, ``X-Auth-Token``, a limit, a timeout by the world's clock, log-out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import flask

from emulator.bmc.redfish import timestamp
from emulator.bmc.services import base
from emulator.bmc.services.accounts import Account, Accounts, basic
from emulator.bmc.services.messages import message, refuse

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc

SERVICE = f"{base.ROOT}/SessionService"
SESSIONS = f"{SERVICE}/Sessions"
TIMEOUT_RANGE = (30, 86_400)
"""What Redfish allows for SessionTimeout."""


@dataclass(slots=True)
class Session:
    id: str
    token: str
    account: Account
    created: float
    used: float
    """``runtime.now()`` of the last request."""
    wall: float

    @property
    def path(self) -> str:
        return f"{SESSIONS}/{self.id}"


class Sessions:
    """The sessions of one BMC. A reboot of the BMC ends them all."""

    def __init__(self, bmc: Bmc) -> None:
        self._bmc = bmc
        self._count = 0
        self._limits = bmc.personality.limits
        self.timeout = self._limits.session_timeout
        self.members: dict[str, Session] = {}

    def expire(self, now: float) -> None:
        """Forget what has timed out, or whose account is gone."""
        accounts: Accounts | None = self._bmc.drivers.peek("accounts")
        for ident, session in list(self.members.items()):
            account = session.account
            valid = accounts is not None and accounts.members.get(account.id) is account
            if now - session.used > self.timeout or not (valid and account.enabled):
                del self.members[ident]

    def verify(self, token: str, now: float) -> Session | None:
        """The session with this token, which this call keeps alive."""
        self.expire(now)
        for session in self.members.values():
            if session.token == token:
                session.used = now
                return session
        return None

    def open(self, account: Account, now: float, wall: float) -> Session:
        """Raises :class:`Refused` when all sessions are taken."""
        self.expire(now)
        if len(self.members) >= self._limits.sessions:
            raise refuse(self._limits.session_refusal, "SessionLimitExceeded")
        self._count += 1
        ident = str(self._count)
        # Not to be guessed without the BMC's secret, and the same in every run of a seed.
        seen = f"{self._bmc.name}/{ident}/{now!r}".encode()
        token = hashlib.blake2b(seen, key=self._bmc.token[:64], digest_size=16).hexdigest()
        session = self.members[ident] = Session(ident, token, account, now, now, wall)
        return session

    def find(self, ident: str) -> Session:
        session = self.members.get(ident)
        if session is None:
            raise base.missing()
        return session


def _show(session: Session) -> dict[str, Any]:
    return base.resource(
        session.path,
        "Session.v1_7_0",
        session.id,
        "User Session",
        UserName=session.account.name,
        Password=None,
        CreatedTime=timestamp(session.wall),
        SessionType="Redfish",
    )


def _service(sessions: Sessions) -> dict[str, Any]:
    return base.resource(
        SERVICE,
        "SessionService.v1_1_9",
        "SessionService",
        "Session Service",
        Status=base.OK,
        ServiceEnabled=True,
        SessionTimeout=sessions.timeout,
        Sessions=base.link(SESSIONS),
    )


def _log_in(sessions: Sessions) -> Any:
    data = base.given()
    base.required(data, "UserName", "Password")
    name, password = data["UserName"], data["Password"]
    accounts: Accounts = base.state("accounts")
    account = None
    if isinstance(name, str) and isinstance(password, str):
        account = accounts.verify(basic(name, password))
    if account is None:
        raise refuse(401, "ResourceAtUriUnauthorized", SESSIONS, "Invalid username or password")
    running = base.call()
    session = sessions.open(account, running.now, running.wall)
    shown = _show(session)
    if account.must_change:
        shown["@Message.ExtendedInfo"] = [message("PasswordChangeRequired", account.path)]
    return base.created(shown, X_Auth_Token=session.token)


def register(app: flask.Flask) -> None:
    @base.route(app, SERVICE, "GET", "PATCH")
    def session_service() -> Any:
        sessions: Sessions = base.state("sessions")
        if flask.request.method == "GET":
            return _service(sessions)
        check = base.setter(
            lambda value: base.whole(value, "SessionTimeout", *TIMEOUT_RANGE),
            lambda value: setattr(sessions, "timeout", value),
        )
        return base.patch(lambda: _service(sessions), {"SessionTimeout": check})

    # SERVICE/Sessions/Members is another name of the collection (DSP0266), for POST.
    @base.route(app, f"{SESSIONS}/Members", "POST")
    def sessions_members() -> Any:
        return _log_in(base.state("sessions"))

    @base.route(app, SESSIONS, "GET", "POST")
    def sessions_collection() -> Any:
        sessions: Sessions = base.state("sessions")
        sessions.expire(base.call().now)
        if flask.request.method == "POST":
            return _log_in(sessions)
        paths = [session.path for session in sessions.members.values()]
        return base.collection(SESSIONS, "Session", "Sessions", paths)

    @base.route(app, f"{SESSIONS}/<ident>", "GET", "DELETE")
    def session(ident: str) -> Any:
        sessions: Sessions = base.state("sessions")
        sessions.expire(base.call().now)
        found = sessions.find(ident)
        if flask.request.method == "GET":
            return _show(found)
        del sessions.members[ident]
        return None
