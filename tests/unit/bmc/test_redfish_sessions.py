"""Sessions and accounts: who may come in, for how long, and what may be done by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beskar7.runtime import VirtualRuntime
from emulator.bmc.services.accounts import ACCOUNTS, MAX_ACCOUNTS, basic
from emulator.bmc.services.sessions import SERVICE, SESSIONS
from emulator.bmc.spec import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Client

    from emulator.bmc.fleet import Fleet

pytestmark = pytest.mark.unit
TIMEOUT = 1800
"""Of every vendor's sessions, in seconds."""
CREDENTIALS = {"username": "admin", "password": "correct horse"}
ADMIN = {"UserName": "admin", "Password": "correct horse"}


def log_in(client: Client, name: str = "admin", password: str = "correct horse") -> Any:
    kept, client.headers = client.headers, {}
    answer = client.call("POST", SESSIONS, {"UserName": name, "Password": password})
    client.headers = kept
    return answer


def enter(client: Client, name: str = "admin", password: str = "correct horse") -> str:
    """Log in and go on with the token; returns the session's path."""
    answer = log_in(client, name, password)
    assert answer.status == 201, answer
    client.headers = {"X-Auth-Token": answer.headers["X-Auth-Token"]}
    path: str = answer.headers["Location"]
    return path


def account(client: Client, name: str, role: str, password: str = "Long-enough1") -> str:
    body = {"UserName": name, "Password": password, "RoleId": role}
    answer = client.call("POST", ACCOUNTS, body)
    assert answer.status == 201, answer
    path: str = answer.headers["Location"]
    return path


def test_a_session_opens_the_door_until_its_end(client: Client) -> None:
    path = enter(client)
    shown = client.get(path)
    assert (shown["UserName"], shown["Password"]) == ("admin", None)
    assert client.get(SESSIONS)["Members"] == [{"@odata.id": path}]
    assert client.reset("On") == 204
    assert client.call("DELETE", path).status == 204
    assert client.call("GET", client.system).status == 401


@pytest.mark.parametrize(
    "body",
    [{**ADMIN, "Password": "wrong"}, {**ADMIN, "UserName": "x"}, {**ADMIN, "Password": ["a"]}],
)
def test_nobody_logs_in_with_wrong_credentials(client: Client, body: dict[str, Any]) -> None:
    client.headers = {}
    answer = client.call("POST", SESSIONS, body)
    assert answer.status == 401
    assert b"wrong" not in answer.body


@pytest.mark.parametrize("body", [{}, {"UserName": "admin"}, {"Password": "x"}])
def test_a_login_needs_both(client: Client, body: dict[str, Any]) -> None:
    client.headers = {}
    assert client.call("POST", SESSIONS, body).status == 400


@pytest.mark.parametrize("token", ["", "x", "0" * 32])
def test_a_made_up_token_opens_nothing(client: Client, token: str) -> None:
    enter(client)
    client.headers = {"X-Auth-Token": token}
    assert client.call("GET", client.system).status == 401


def test_a_session_that_is_not_used_ends(client: Client, virtual: VirtualRuntime) -> None:
    def main() -> None:
        enter(client)
        for _ in range(3):
            virtual.sleep(TIMEOUT - 1)
            assert client.call("GET", client.system).status == 200
        virtual.sleep(TIMEOUT + 1)
        assert client.call("GET", client.system).status == 401

    virtual.run(main)


def test_the_timeout_can_be_set_within_bounds(client: Client, virtual: VirtualRuntime) -> None:
    def main() -> None:
        for bad in (29, 86_401, "60", True, None):
            assert client.call("PATCH", SERVICE, {"SessionTimeout": bad}).status == 400
        assert client.call("PATCH", SERVICE, {"SessionTimeout": 60}).status == 200
        enter(client)
        virtual.sleep(61)
        assert client.call("GET", client.system).status == 401

    virtual.run(main)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # a new fleet in every example
)
@given(st.lists(st.sampled_from(["in", "out", "wait"]), max_size=40))
def test_there_are_never_more_sessions_than_allowed(
    client: Client, fleet: Fleet, steps: list[str]
) -> None:
    runtime = VirtualRuntime(seed=1)
    client = type(client)(type(fleet)(fleet.spec, runtime, Credentials(**CREDENTIALS)))

    def main() -> None:
        open_: list[str] = []
        for step in steps * 2:
            if step == "in":
                answer = log_in(client)
                if len(open_) < client.bmc.personality.limits.sessions:
                    assert answer.status == 201
                    open_.append(answer.headers["Location"])
                else:
                    assert answer.status == 503
                    assert b"SessionLimitExceeded" in answer.body
            elif step == "out" and open_:
                assert client.call("DELETE", open_.pop()).status == 204
            elif step == "wait":
                runtime.sleep(TIMEOUT + 1)
                open_.clear()
            assert len(client.get(SESSIONS)["Members"]) == len(open_)

    runtime.run(main)


def test_a_vendor_may_refuse_in_its_own_way(quirky: Callable[..., Client]) -> None:
    client = quirky("limits: {sessions: 1, session_refusal: 400}")
    assert [log_in(client).status for _ in range(2)] == [201, 400]


def test_logging_in_is_no_action_upon_the_machine(client: Client, fleet: Fleet) -> None:
    enter(client)
    assert [record.action for record in fleet.log().records] == [""]


def test_tokens_differ_between_sessions_and_machines(client: Client, fleet: Fleet) -> None:
    other = type(client)(fleet, "host-002")
    tokens = [log_in(c).headers["X-Auth-Token"] for c in (client, client, other)]
    assert len(set(tokens)) == 3
    other.headers = {"X-Auth-Token": tokens[0]}
    assert other.call("GET", other.system).status == 401


ROLES: list[tuple[str, set[str]]] = [
    ("Administrator", {"read", "power", "account", "manager"}),
    ("Operator", {"read", "power"}),
    ("ReadOnly", {"read"}),
]


@pytest.mark.parametrize(("role", "may"), ROLES)
@pytest.mark.parametrize("by", ["session", "basic"])
def test_a_role_may_do_what_it_says_and_no_more(
    client: Client, role: str, may: set[str], by: str
) -> None:
    account(client, "somebody", role)
    other = account(client, "other", "ReadOnly")
    if by == "session":
        enter(client, "somebody", "Long-enough1")
    else:
        token = basic("somebody", "Long-enough1").decode()
        client.headers = {"Authorization": f"Basic {token}"}
    done = {
        "read": client.call("GET", client.system).status == 200,
        "power": client.reset("On") == 204,
        "account": client.call("PATCH", other, {"Enabled": False}).status == 200,
        "manager": client.call("PATCH", SERVICE, {"SessionTimeout": 60}).status == 200,
    }
    assert {name for name, worked in done.items() if worked} == may
    if "account" not in may:
        assert client.call("GET", other).status == 403


def test_one_may_change_ones_own_password_and_nothing_else(client: Client) -> None:
    path = account(client, "somebody", "ReadOnly")
    token = basic("somebody", "Long-enough1").decode()
    client.headers = {"Authorization": f"Basic {token}"}
    assert client.call("PATCH", path, {"RoleId": "Administrator"}).status == 400
    assert client.get(path)["RoleId"] == "ReadOnly"
    assert client.call("PATCH", path, {"Password": "Another-one2"}).status == 200
    assert client.call("GET", client.system).status == 401
    enter(client, "somebody", "Another-one2")


def test_a_password_that_must_be_changed_opens_nothing_else(client: Client) -> None:
    path = account(client, "somebody", "Operator")
    assert client.call("PATCH", path, {"PasswordChangeRequired": True}).status == 200
    enter(client, "somebody", "Long-enough1")
    answer = client.call("GET", client.system)
    assert (answer.status, b"PasswordChangeRequired" in answer.body) == (403, True)
    assert client.call("PATCH", path, {"Password": "Another-one2"}).status == 200
    assert client.call("GET", client.system).status == 200


@pytest.mark.parametrize("how", ["deleted", "disabled"])
def test_an_account_that_is_gone_takes_its_sessions_along(client: Client, how: str) -> None:
    path = account(client, "somebody", "Operator")
    admin = client.headers
    enter(client, "somebody", "Long-enough1")
    theirs, client.headers = client.headers, admin
    if how == "deleted":
        assert client.call("DELETE", path).status == 204
    else:
        assert client.call("PATCH", path, {"Enabled": False}).status == 200
    client.headers = theirs
    assert client.call("GET", client.system).status == 401
    assert log_in(client, "somebody", "Long-enough1").status == 401


def test_the_fleets_own_account_stays_and_its_password_can_change(client: Client) -> None:
    assert client.call("DELETE", f"{ACCOUNTS}/1").status == 405
    assert "DELETE" not in client.call("GET", f"{ACCOUNTS}/1").headers["Allow"]
    assert client.call("PATCH", f"{ACCOUNTS}/1", {"Password": "Another-one2"}).status == 200
    assert client.call("GET", client.system).status == 401
    enter(client, "admin", "Another-one2")


@pytest.mark.parametrize(
    "body",
    [
        {"UserName": "a", "Password": "short", "RoleId": "Operator"},
        {"UserName": "a:b", "Password": "Long-enough1", "RoleId": "Operator"},
        {"UserName": "", "Password": "Long-enough1", "RoleId": "Operator"},
        {"UserName": "a", "Password": "Long-enough1", "RoleId": "King"},
        {"UserName": "admin", "Password": "Long-enough1", "RoleId": "Operator"},
        {"UserName": "a", "Password": "Long-enough1"},
        {"UserName": 1, "Password": 2, "RoleId": 3},
    ],
)
def test_impossible_accounts_are_refused(client: Client, body: dict[str, Any]) -> None:
    answer = client.call("POST", ACCOUNTS, body)
    assert answer.status == 400
    assert b"short" not in answer.body
    assert len(client.get(ACCOUNTS)["Members"]) == 1


def test_there_is_room_for_so_many_accounts(client: Client) -> None:
    for number in range(MAX_ACCOUNTS - 1):
        account(client, f"user{number}", "ReadOnly")
    body = {"UserName": "more", "Password": "Long-enough1", "RoleId": "ReadOnly"}
    assert client.call("POST", ACCOUNTS, body).status == 400
    shown = [client.get(m["@odata.id"]) for m in client.get(ACCOUNTS)["Members"]]
    assert all(one["Password"] is None for one in shown)


def test_nothing_is_kept_for_a_bmc_whose_services_nobody_uses(
    fleet_of: Callable[..., Fleet], client: Client
) -> None:
    client.get(client.system)
    client.reset("On")
    for name in ("accounts", "sessions", "tasks", "events"):
        assert client.bmc.drivers.peek(name) is None
    assert orjson.loads(client.call("GET", SESSIONS).body)["Members@odata.count"] == 0
