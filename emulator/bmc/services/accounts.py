"""AccountService: accounts with roles, and what a role may do.

Account ``1`` is the one that the fleet's credentials name; its secret is ``Bmc.token``, so that
whoever changes the one changes the other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import flask

from emulator.bmc.services import base
from emulator.bmc.services.messages import refuse

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc

SERVICE = f"{base.ROOT}/AccountService"
ACCOUNTS = f"{SERVICE}/Accounts"
ROLES = f"{SERVICE}/Roles"
MAX_ACCOUNTS = 16
MIN_PASSWORD, MAX_PASSWORD = 8, 64
PRIVILEGES = {
    "Administrator": (
        *("Login", "ConfigureManager", "ConfigureUsers", "ConfigureSelf", "ConfigureComponents"),
    ),
    "Operator": ("Login", "ConfigureSelf", "ConfigureComponents"),
    "ReadOnly": ("Login", "ConfigureSelf"),
}
"""The predefined roles of DSP0266 with their assigned privileges."""


def basic(name: str, password: str) -> bytes:
    """The credentials of HTTP Basic."""
    return base64.b64encode(f"{name}:{password}".encode())


def user_of(token: bytes) -> str:
    """The user name in credentials of HTTP Basic; empty where there is none."""
    try:
        return base64.b64decode(token, validate=True).partition(b":")[0].decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


@dataclass(slots=True)
class Account:
    """One account. ``digest``: of its Basic credentials; None for the fleet's own account."""

    id: str
    name: str
    digest: bytes | None
    role: str = "ReadOnly"
    enabled: bool = True
    locked: bool = False
    must_change: bool = False

    @property
    def path(self) -> str:
        return f"{ACCOUNTS}/{self.id}"

    @property
    def privileges(self) -> tuple[str, ...]:
        return PRIVILEGES[self.role]


class Accounts:
    """The accounts of one BMC."""

    def __init__(self, bmc: Bmc) -> None:
        self._bmc = bmc
        self._salt = bmc.uuid.encode()[:16]
        self.members: dict[str, Account] = {
            "1": Account("1", user_of(bmc.token), None, "Administrator")
        }

    def verify(self, token: bytes) -> Account | None:
        """The account whose Basic credentials these are, if it may log in."""
        digest = self._digest(token)
        for account in self.members.values():
            if account.digest is None:
                known = hmac.compare_digest(token, self._bmc.token)
            else:
                known = hmac.compare_digest(digest, account.digest)
            if known:
                return account if account.enabled and not account.locked else None
        return None

    def _digest(self, token: bytes) -> bytes:
        return hashlib.blake2b(token, key=self._salt).digest()

    def add(self, name: str, password: str, role: str) -> Account:
        if len(self.members) >= MAX_ACCOUNTS:
            raise refuse(400, "CreateLimitReachedForResource")
        ident = next(str(n) for n in range(1, MAX_ACCOUNTS + 1) if str(n) not in self.members)
        digest = self._digest(basic(name, password))
        account = self.members[ident] = Account(ident, name, digest, role)
        return account

    def find(self, ident: str) -> Account:
        account = self.members.get(ident)
        if account is None:
            raise base.missing()
        return account

    def named(self, name: str) -> Account | None:
        return next((a for a in self.members.values() if a.name == name), None)

    def set_password(self, account: Account, password: str) -> None:
        token = basic(account.name, password)
        if account.digest is None:
            self._bmc.token = token
        else:
            account.digest = self._digest(token)
        account.must_change = False


def _password(value: Any) -> str:
    if not isinstance(value, str):
        raise refuse(400, "PropertyValueTypeError", "******", "Password", related="Password")
    if not MIN_PASSWORD <= len(value) <= MAX_PASSWORD:
        raise refuse(400, "PropertyValueFormatError", "******", "Password", related="Password")
    return value


def _name(value: Any) -> str:
    name = base.text(value, "UserName", 32, 1)
    if ":" in name:
        raise refuse(400, "PropertyValueFormatError", name, "UserName", related="UserName")
    return name


def _show(account: Account) -> dict[str, Any]:
    return base.resource(
        account.path,
        "ManagerAccount.v1_12_0",
        account.id,
        "User Account",
        UserName=account.name,
        Password=None,
        RoleId=account.role,
        Enabled=account.enabled,
        Locked=account.locked,
        PasswordChangeRequired=account.must_change,
        AccountTypes=["Redfish"],
        Links={"Role": base.link(f"{ROLES}/{account.role}")},
    )


def _setters(accounts: Accounts, account: Account, own: bool) -> dict[str, base.Setter]:
    def store(name: str) -> Any:
        return lambda value: setattr(account, name, value)

    password = base.setter(_password, lambda value: accounts.set_password(account, value))
    if own:
        return {"Password": password}
    return {
        "Password": password,
        "RoleId": base.setter(lambda v: base.choice(v, "RoleId", PRIVILEGES), store("role")),
        "Enabled": base.setter(lambda v: base.flag(v, "Enabled"), store("enabled")),
        "Locked": base.setter(lambda v: base.flag(v, "Locked"), store("locked")),
        "PasswordChangeRequired": base.setter(
            lambda v: base.flag(v, "PasswordChangeRequired"), store("must_change")
        ),
    }


def register(app: flask.Flask) -> None:
    @base.route(app, SERVICE)
    def account_service() -> Any:
        return base.resource(
            SERVICE,
            "AccountService.v1_15_0",
            "AccountService",
            "Account Service",
            Status=base.OK,
            ServiceEnabled=True,
            MinPasswordLength=MIN_PASSWORD,
            MaxPasswordLength=MAX_PASSWORD,
            Accounts=base.link(ACCOUNTS),
            Roles=base.link(ROLES),
        )

    @base.route(app, ACCOUNTS, "GET", "POST")
    def accounts() -> Any:
        known: Accounts = base.state("accounts")
        if flask.request.method == "GET":
            paths = [account.path for account in known.members.values()]
            return base.collection(ACCOUNTS, "ManagerAccount", "Accounts", paths)
        data = base.given()
        base.required(data, "UserName", "Password", "RoleId")
        name, password = _name(data["UserName"]), _password(data["Password"])
        role = base.choice(data["RoleId"], "RoleId", PRIVILEGES)
        if known.named(name) is not None:
            kind = "ManagerAccount"
            raise refuse(400, "ResourceAlreadyExists", kind, "UserName", name, related="UserName")
        account = known.add(name, password, role)
        account.enabled = base.flag(data.get("Enabled", True), "Enabled")
        return base.created(_show(account))

    @base.route(app, f"{ACCOUNTS}/<ident>", "GET", "PATCH", "DELETE")
    def account(ident: str) -> Any:
        known: Accounts = base.state("accounts")
        found = known.find(ident)
        if flask.request.method == "GET":
            return _show(found)
        if flask.request.method == "PATCH":
            user = base.call().user
            own = user is not None and "ConfigureUsers" not in user.privileges
            return base.patch(lambda: _show(found), _setters(known, found, own))
        if found.digest is None:
            # The fleet's own: without it nobody could come in again.
            raise refuse(405, "OperationNotAllowed")
        del known.members[ident]
        return None

    @base.route(app, ROLES)
    def roles() -> Any:
        return base.collection(ROLES, "Role", "Roles", [f"{ROLES}/{role}" for role in PRIVILEGES])

    @base.route(app, f"{ROLES}/<ident>")
    def role(ident: str) -> Any:
        if ident not in PRIVILEGES:
            raise base.missing()
        return base.resource(
            f"{ROLES}/{ident}",
            "Role.v1_3_1",
            ident,
            f"{ident} Role",
            RoleId=ident,
            IsPredefined=True,
            AssignedPrivileges=list(PRIVILEGES[ident]),
            OemPrivileges=[],
        )
