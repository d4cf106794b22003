"""Who asks, and whether that may be done: HTTP Basic, ``X-Auth-Token``, and roles."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from emulator.bmc.services.accounts import ACCOUNTS, Account, Accounts
from emulator.bmc.services.messages import Refused, message, refuse
from emulator.bmc.services.sessions import SESSIONS, Sessions

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc
    from emulator.bmc.redfish import Request

OPEN = frozenset({"redfish", "redfish/v1", "redfish/v1/odata", "redfish/v1/$metadata"})
"""Readable without credentials, as DSP0266 demands: they tell a client where to go."""
LOG_IN = frozenset({SESSIONS.strip("/"), f"{SESSIONS}/Members".strip("/")})
CHALLENGE = 'Basic realm="Redfish"'
READS = ("GET", "HEAD", "OPTIONS")
# What a write needs, by the longest prefix that matches; any one of them is enough. Of the DMTF's
# Redfish privilege registry; ConfigureSelf stands for one's own account or session.
NEEDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("/redfish/v1/AccountService/Accounts/", ("ConfigureUsers", "ConfigureSelf")),
    ("/redfish/v1/AccountService", ("ConfigureUsers",)),
    ("/redfish/v1/SessionService/Sessions/", ("ConfigureManager", "ConfigureSelf")),
    ("/redfish/v1/SessionService", ("ConfigureManager",)),
    ("/redfish/v1/EventService/Subscriptions", ("ConfigureManager", "ConfigureComponents")),
    ("/redfish/v1/EventService", ("ConfigureManager",)),
    ("/redfish/v1/Managers", ("ConfigureManager",)),
    ("/redfish/v1/TaskService", ("ConfigureManager",)),
    ("/redfish/v1/CertificateService", ("ConfigureManager",)),
    ("/redfish/v1/", ("ConfigureComponents",)),
)


def is_open(request: Request) -> bool:
    """Whether the request needs no credentials."""
    path = request.path.strip("/")
    if request.method == "POST":
        return path in LOG_IN
    return request.method in READS and path in OPEN


def authenticate(bmc: Bmc, request: Request, now: float) -> Account | None:
    """The account behind the request's credentials. Raises 401 where they are missing or wrong.

    None is the fleet's own account while nobody has asked for accounts: nothing needs making.
    """
    token = request.headers.get("X-Auth-Token")
    if token is not None:
        sessions: Sessions | None = bmc.drivers.peek("sessions")
        session = sessions.verify(token, now) if sessions is not None else None
        if session is None:
            raise unauthorized("NoValidSession")
        return session.account
    scheme, _, credentials = (request.headers.get("Authorization") or "").partition(" ")
    given = credentials.strip().encode("utf-8", "surrogateescape")
    if scheme.lower() == "basic":
        accounts: Accounts | None = bmc.drivers.peek("accounts")
        if accounts is None:
            if hmac.compare_digest(given, bmc.token):
                return None
        elif (account := accounts.verify(given)) is not None:
            return account
    raise unauthorized("ResourceAtUriUnauthorized", request.path, "Invalid username or password")


def unauthorized(key: str, *args: object) -> Refused:
    headers = {"WWW-Authenticate": CHALLENGE}
    return Refused(401, message(key, *args), headers=headers)


def permit(bmc: Bmc, account: Account | None, request: Request) -> None:
    """Raises 403 where the account's role does not allow the request."""
    if account is None:
        return
    own = _is_own(bmc, account, request.path)
    if account.must_change and not (own and request.path.startswith(ACCOUNTS)):
        raise refuse(403, "PasswordChangeRequired", account.path)
    has = account.privileges
    if request.method in READS:
        # Others' accounts are for those who manage accounts.
        others = request.path.startswith(f"{ACCOUNTS}/") and not own
        if others and "ConfigureUsers" not in has and "ConfigureManager" not in has:
            raise refuse(403, "InsufficientPrivilege")
        return
    path = request.path.rstrip("/")
    wanted = next((needs for prefix, needs in NEEDS if path.startswith(prefix)), ("Login",))
    for privilege in wanted:
        if privilege in has and (privilege != "ConfigureSelf" or (own and _for_self(request))):
            return
    raise refuse(403, "InsufficientPrivilege")


def _for_self(request: Request) -> bool:
    """What one may do to oneself: change the password, end the session."""
    return request.method == ("DELETE" if request.path.startswith(SESSIONS) else "PATCH")


def _is_own(bmc: Bmc, account: Account, path: str) -> bool:
    path = path.rstrip("/")
    if path == account.path:
        return True
    sessions: Sessions | None = bmc.drivers.peek("sessions")
    if sessions is None or not path.startswith(f"{SESSIONS}/"):
        return False
    session = sessions.members.get(path.rpartition("/")[2])
    return session is not None and session.account is account
