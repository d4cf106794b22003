"""Every kind of fault, as a real client sees it in virtual time, and at its rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import requests
import sushy
from sushy import connector

from beskar7.runtime import VirtualRuntime
from emulator.bmc.faults.answers import ANSWERS
from emulator.bmc.faults.boots import BOOTS
from emulator.bmc.faults.plans import PLANS
from emulator.bmc.faults.spans import SPANS
from emulator.bmc.fleet import Fleet
from emulator.bmc.inprocess import TURNED_AWAY, FleetAdapter
from emulator.bmc.shape import media_place
from emulator.bmc.spec import Credentials
from emulator.faultkinds import KINDS
from emulator.faultspec import Fault
from emulator.fields import FieldError

if TYPE_CHECKING:
    from conftest import Client

pytestmark = pytest.mark.unit
TIMEOUT = 5
USER, PASSWORD = "admin", "correct horse"
ROOT = "/redfish/v1"


class Lab:
    """A fleet with machines as slow as real ones, and clients of its first BMC."""

    def __init__(self, fleet: Fleet, runtime: VirtualRuntime) -> None:
        self.fleet = fleet
        self.runtime = runtime
        self.bmc = fleet.bmcs["host-001"]
        self.system_path = f"{ROOT}/Systems/{self.bmc.system_id}"
        self.disc = self.bmc.personality.ways(1.0).optical[0]
        self.drive = f"{media_place(self.bmc)}/{self.disc}"
        self.session = requests.Session()
        self.session.mount("http://", FleetAdapter(fleet, runtime))
        self.session.auth = (USER, PASSWORD)

    def put(self, kind: str, **fields: Any) -> Fault:
        fault = Fault.from_dict({"id": "f", "kind": kind, **fields})
        self.fleet.faults.add(fault)
        return fault

    def ask(self, path: str = "", method: str = "GET", **more: Any) -> requests.Response:
        url = f"http://127.10.0.1{path or self.system_path}"
        return self.session.request(method, url, timeout=(TIMEOUT, TIMEOUT), **more)

    def reset(self, kind: str) -> int:
        path = f"{self.system_path}/Actions/ComputerSystem.Reset"
        return self.ask(path, "POST", json={"ResetType": kind}).status_code

    def insert(self, image: str = "http://images/x.iso") -> int:
        path = f"{self.drive}/Actions/VirtualMedia.InsertMedia"
        return self.ask(path, "POST", json={"Image": image}).status_code

    def boot_once(self) -> int:
        boot = {"BootSourceOverrideTarget": "Cd", "BootSourceOverrideEnabled": "Once"}
        return self.ask(method="PATCH", json={"Boot": boot}).status_code

    def sushy(self) -> sushy.Sushy:
        conn = connector.Connector(
            "http://127.10.0.1", server_side_retries=0, default_request_timeout=TIMEOUT
        )
        conn._session.mount("http://", FleetAdapter(self.fleet, self.runtime))
        auth = sushy.auth.BasicAuth(USER, PASSWORD)
        return sushy.Sushy("http://127.10.0.1", auth=auth, connector=conn)

    def events(self) -> list[tuple[str, str]]:
        return [(event.type, event.fault) for event in self.fleet.log().events]

    def seconds(self, work: Callable[[], object]) -> float:
        before = self.runtime.now()
        work()
        return self.runtime.now() - before


@pytest.fixture
def inside(fleet_of: Callable[..., Fleet], virtual: VirtualRuntime) -> Callable[..., None]:
    """Runs a test's body as a task of the virtual world."""
    fleet = fleet_of(scale={"boot": 1.0, "latency": 0.0})
    return lambda body: virtual.run(lambda: body(Lab(fleet, virtual)))


Inside = Callable[[Callable[[Lab], None]], None]


# --- the register ------------------------------------------------------------------------------


def test_every_kind_is_acted_out() -> None:
    for kind in KINDS.values():
        if kind.acts == "connection":
            assert kind.name in TURNED_AWAY
        elif kind.acts == "span":
            assert kind.name in SPANS
        elif kind.acts == "boot":
            assert kind.name in BOOTS
        else:
            assert kind.adds or (kind.name in PLANS) != (kind.name in ANSWERS), kind.name
    assert {*TURNED_AWAY, *SPANS, *BOOTS, *PLANS, *ANSWERS} <= {*KINDS}


def sample(name: str) -> dict[str, Any]:
    """A fault of the kind with every field that it needs."""
    needed: dict[str, Any] = {
        "latency": {"latency": {"distribution": "empirical", "quantiles": [0.1, 0.2, 3.0]}},
        "firmware-bug": {"symptoms": [{"kind": "html"}, {"kind": "stale-power", "lag": 3}]},
    }
    return {"id": "f", "kind": name, **needed.get(name, {})}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_survives_the_wire(name: str) -> None:
    more = {"every": 60, "times": 3, "duration": 5, "select": {"firmware": ["6.*"], "racks": ["r"]}}
    read = Fault.from_dict(sample(name) | more)
    again = Fault.from_dict(read.to_dict())
    assert again == read
    assert again.to_dict() == read.to_dict()
    assert (again.every, again.times, again.select.firmware) == (60.0, 3, ("6.*",))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"kind": "drip", "rate": 0}, "fault.rate: must be a number from 0.1"),
        ({"kind": "drip", "lag": 1}, "fault.lag: only for kind stale-power, not drip"),
        ({"kind": "boot-loop", "match": {"path": "*"}}, "fault.match: kind boot-loop is not about"),
        ({"kind": "html", "every": 5}, "fault.every: needs a duration"),
        ({"kind": "html", "every": 5, "duration": 6}, "fault.every: must be a number from 6"),
        ({"kind": "html", "times": 5}, "fault.times: needs every"),
        ({"kind": "firmware-bug"}, "fault.symptoms: missing"),
        ({"kind": "firmware-bug", "symptoms": []}, "fault.symptoms: must be a list of 1 to 10"),
        (
            {"kind": "firmware-bug", "symptoms": [{"kind": "html", "select": {}}]},
            "fault.symptoms[0].select: unknown field",
        ),
        (
            {"kind": "firmware-bug", "symptoms": [{"kind": "drip", "rate": "x"}]},
            "fault.symptoms[0].rate: must be a number",
        ),
        (
            {"kind": "firmware-bug", "symptoms": [{"kind": "firmware-bug"}]},
            "fault.symptoms[0].kind: must be another kind",
        ),
        (
            {"kind": "power-loss", "restore": "never"},
            "fault.restore: must be one of LastState, AlwaysOn",
        ),
    ],
)
def test_errors_name_the_field(data: dict[str, Any], message: str) -> None:
    with pytest.raises(FieldError) as caught:
        Fault.from_dict({"id": "f", **data})
    assert message in str(caught.value)


# --- transport ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        ("refused", requests.exceptions.ConnectionError, "refused"),
        ("reset-at-accept", requests.exceptions.ConnectionError, "reset"),
        ("tls-failure", requests.exceptions.SSLError, "handshake failure"),
        ("certificate-expired", requests.exceptions.SSLError, "certificate has expired"),
        ("reset", requests.exceptions.ConnectionError, "reset"),
        ("hang", requests.exceptions.ReadTimeout, "Read timed out"),
        ("unreachable", requests.exceptions.ReadTimeout, "Read timed out"),
        ("hang-in-body", requests.exceptions.ConnectionError, "Read timed out"),
        ("truncation", requests.exceptions.ChunkedEncodingError, "IncompleteRead"),
    ],
)
def test_what_a_client_cannot_get(inside: Inside, kind: str, error: Any, said: str) -> None:
    def body(lab: Lab) -> None:
        lab.put(kind)
        with pytest.raises(error, match=said):
            lab.ask()
        lab.runtime.sleep(0.1)  # The BMC notices later than its client that it has given up.
        record = lab.fleet.log().records[-1]
        assert (record.fault, record.method) == (
            "f",
            "" if KINDS[kind].acts == "connection" else "GET",
        )
        lab.fleet.faults.clear("f")
        assert lab.ask().status_code == 200

    inside(body)


def test_an_expired_certificate_is_for_those_who_look(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        lab.put("certificate-expired")
        assert lab.ask(verify=False).status_code == 200

    inside(body)


def test_a_drip_outlives_a_read_timeout(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        size = len(lab.ask().content)
        lab.put("drip", rate=10)
        whole: list[bytes] = []
        took = lab.seconds(lambda: whole.append(lab.ask().content))
        assert (len(whole[0]), took) == (size, pytest.approx(size / 10))
        assert took > 10 * TIMEOUT
        lab.fleet.faults.clear()
        lab.put("drip", rate=0.1)  # A byte each ten seconds is more than the client waits for.
        with pytest.raises(requests.exceptions.ConnectionError, match="Read timed out"):
            lab.ask()
        lab.fleet.faults.clear()
        lab.put("drip", rate=10, duration=3)
        assert lab.seconds(lab.ask) == pytest.approx(3.0), "the rest comes once the fault is over"

    inside(body)


def test_a_client_that_bounds_the_whole_answer_ends_a_drip(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        lab.session.mount("http://", FleetAdapter(lab.fleet, lab.runtime, whole=True))
        for kind, more in (("drip", {"rate": 10}), ("hang-in-body", {})):
            lab.put(kind, **more)
            lab.fleet.faults.add(
                Fault.from_dict({"id": "g", "kind": "latency", "latency": {"mean": 2.0}})
            )

            def refused() -> None:
                with pytest.raises(requests.exceptions.ConnectionError, match="Read timed out"):
                    lab.ask()

            assert lab.seconds(refused) == pytest.approx(TIMEOUT)
            lab.fleet.faults.clear()
        assert lab.ask().status_code == 200

    inside(body)


def test_bandwidth_adds_to_what_else_is_slow(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        size = len(lab.ask().content)
        lab.put("bandwidth", rate=1000)
        lab.fleet.faults.add(
            Fault.from_dict({"id": "g", "kind": "latency", "latency": {"mean": 2.0}})
        )
        assert lab.seconds(lab.ask) == pytest.approx(2.0 + size / 1000)

    inside(body)


def test_a_latency_of_recorded_quantiles(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        lab.put("latency", latency={"distribution": "empirical", "quantiles": [1.0, 2.0, 4.0]})
        taken = [lab.seconds(lab.ask) for _ in range(200)]
        assert 1.0 <= min(taken) < 1.1
        assert 3.8 < max(taken) <= 4.0
        assert sum(seconds < 2.0 for seconds in taken) == pytest.approx(100, abs=24)

    inside(body)


# --- protocol ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 404, 409, 429, 500, 503])
def test_refusals(inside: Inside, status: int) -> None:
    def body(lab: Lab) -> None:
        lab.put("error", status=status, retry_after=7)
        answer = lab.ask()
        assert (answer.status_code, answer.headers["Retry-After"]) == (status, "7")
        assert ("WWW-Authenticate" in answer.headers) == (status == 401)
        assert answer.json()["error"]["message"] == "Injected fault f"

    inside(body)


def test_bodies_that_are_none(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        lab.put("malformed-json")
        answer = lab.ask()
        assert answer.status_code == 200
        with pytest.raises(requests.exceptions.JSONDecodeError):
            answer.json()
        with pytest.raises(ValueError, match=r"Expecting|Unterminated|delimiter"):
            lab.sushy()
        lab.fleet.faults.clear()
        lab.put("html")
        answer = lab.ask()
        assert answer.headers["Content-Type"].startswith("text/html")
        assert answer.text.startswith("<!DOCTYPE html>")
        lab.fleet.faults.clear()
        lab.put("list")
        assert lab.ask().json()[0]["PowerState"] == "Off"
        with pytest.raises((TypeError, AttributeError, sushy.exceptions.SushyError)):
            lab.sushy()

    inside(body)


def test_fields_that_are_missing(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        whole = lab.ask().json()
        lab.put("missing-fields", properties=["PowerState", "Boot/BootSourceOverrideTarget"])
        got = lab.ask().json()
        assert {*whole} - {*got} == {"PowerState"}
        assert {*whole["Boot"]} - {*got["Boot"]} == {"BootSourceOverrideTarget"}
        lab.fleet.faults.clear()
        lab.put("missing-fields", share=0.3)
        first, second = lab.ask().json(), lab.ask().json()
        assert {*first} < {*whole}
        assert {*first} != {*second}

    inside(body)


def test_a_power_state_that_is_null(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        lab.put("null-power")
        assert lab.ask().json()["PowerState"] is None
        assert lab.sushy().get_system().power_state is None
        assert lab.fleet.log().records[-3].fault == "", "what has no power is not hit"

    inside(body)


def test_a_wrong_etag_makes_every_condition_fail(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        right = lab.ask()
        lab.put("wrong-etag")
        wrong = lab.ask()
        assert wrong.headers["ETag"] != right.headers["ETag"]
        assert wrong.json()["@odata.etag"] == wrong.headers["ETag"]
        headers = {"If-Match": wrong.headers["ETag"]}
        assert lab.ask(method="PATCH", json={"AssetTag": "a"}, headers=headers).status_code == 412

    inside(body)


def test_sessions_are_taken_or_end(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        login = {"UserName": USER, "Password": PASSWORD}
        path = f"{ROOT}/SessionService/Sessions"
        token = lab.ask(path, "POST", json=login).headers["X-Auth-Token"]
        lab.put("session-exhaustion")
        refused = lab.ask(path, "POST", json=login)
        assert refused.status_code == 503
        assert "SessionLimitExceeded" in refused.text
        assert lab.ask().status_code == 200, "whoever needs no session goes on"
        lab.fleet.faults.clear()
        lab.session.auth = None
        headers = {"X-Auth-Token": token}
        assert lab.ask(headers=headers).status_code == 200
        lab.put("session-expiry", count=1)
        assert [lab.ask(headers=headers).status_code for _ in range(2)] == [401, 401]

    inside(body)


# --- semantic ----------------------------------------------------------------------------------


def test_an_action_that_is_accepted_and_lost(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        lab.put("lost-action")
        assert (lab.insert(), lab.boot_once(), lab.reset("On")) == (204, 204, 204)
        lab.runtime.sleep(600.0)
        assert lab.events() == []
        system = lab.ask().json()
        assert (system["PowerState"], system["Boot"]["BootSourceOverrideEnabled"]) == (
            "Off",
            "Disabled",
        )
        assert lab.ask(lab.drive).json()["Image"] is None
        assert [r.performed for r in lab.fleet.log().records if r.action] == [False] * 3
        assert lab.reset("Nonsense") == 400, "what would be refused is refused"
        lab.session.auth = (USER, "wrong")
        assert lab.reset("On") == 401

    inside(body)


def test_an_image_that_a_task_would_bring_is_lost_as_well(
    quirky: Callable[..., Client], virtual: VirtualRuntime
) -> None:
    text = "quirks: {media_task_seconds: {value: 5}, busy_after_write: {value: 3}}"
    fleet = quirky(text, scale={"boot": 1.0, "latency": 0.0}).fleet

    def body(lab: Lab) -> None:
        lab.put("lost-action")
        assert lab.insert() == 202
        lab.fleet.faults.clear()
        assert lab.boot_once() == 204, "a BMC that did nothing needs no rest"
        lab.runtime.sleep(60.0)
        assert lab.ask(lab.drive).json()["Inserted"] is False
        assert lab.insert() == 202
        lab.runtime.sleep(6.0)
        assert lab.ask(lab.drive).json()["Inserted"] is True

    virtual.run(lambda: body(Lab(fleet, virtual)))


def test_an_action_that_comes_late(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        lab.put("late-action", delay=40)
        assert lab.insert() == 204
        lab.runtime.sleep(39.0)
        assert lab.events() == []
        lab.runtime.sleep(2.0)
        assert lab.events() == [("media-inserted", "f")]
        assert lab.fleet.log().events[0].time == pytest.approx(40.0)
        assert lab.ask(lab.drive).json()["Inserted"] is True

    inside(body)


def test_an_action_that_is_done_twice(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        lab.put("double-action", delay=200)
        assert lab.reset("ForceRestart") == 204  # From off: on.
        lab.runtime.sleep(900.0)
        kinds = lab.events()
        assert [kind for kind in kinds if kind[0] == "boot-started"] == [
            ("boot-started", ""),
            ("boot-started", "f"),
        ]

    inside(body)


def test_a_power_state_of_some_time_ago(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        lab.put("stale-power", lag=100)
        assert lab.reset("On") == 204
        lab.runtime.sleep(60.0)
        on = next(e.time for e in lab.fleet.log().events if e.type == "power-on")
        assert lab.ask().json()["PowerState"] == "Off"
        lab.runtime.sleep(on + 100.5 - lab.runtime.now())
        assert lab.ask().json()["PowerState"] == "On"
        assert lab.sushy().get_system().power_state == sushy.PowerState.ON

    inside(body)


def test_a_task_without_end(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        path = f"{ROOT}/UpdateService/Actions/UpdateService.SimpleUpdate"
        image = {"ImageURI": "http://images/fw-9.9.bin"}
        lab.put("endless-task")
        answer = lab.ask(path, "POST", json=image)
        assert answer.status_code == 202
        task = answer.json()["@odata.id"]
        lab.runtime.sleep(86_400.0)
        assert lab.ask(task).json()["TaskState"] == "Running"
        lab.fleet.faults.clear()
        assert lab.ask(path, "POST", json=image).status_code == 503
        assert lab.ask(task, "DELETE").status_code == 204
        assert lab.ask(path, "POST", json=image).status_code == 202

    inside(body)


def boot(lab: Lab, seconds: float = 900.0) -> list[tuple[str, str, str]]:
    """Boot once from CD; what happened from the power-on on."""
    assert (lab.boot_once(), lab.insert(), lab.reset("On")) == (204, 204, 204)
    lab.runtime.sleep(seconds)
    events = lab.fleet.log().events
    first = next(i for i, event in enumerate(events) if event.type == "power-on")
    return [(e.type, e.detail.partition(":")[0], e.fault) for e in events[first + 1 :]]


def test_a_boot_that_forgets_the_override(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        lab.put("override-lost")
        assert boot(lab) == [("boot-started", "Hdd", "f"), ("boot-finished", "Hdd", "f")]
        assert lab.ask().json()["Boot"]["BootSourceOverrideEnabled"] == "Disabled"

    inside(body)


def test_a_boot_that_loops_until_the_fault_is_over(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        lab.put("boot-loop", count=2)
        assert (
            boot(lab, 3600.0)
            == [
                ("boot-started", "Cd", "f"),
                ("boot-failed", "Cd", "f"),
                ("boot-started", "Cd", "f"),
                ("boot-failed", "Cd", "f"),
                ("boot-started", "Cd", "f"),
                ("boot-finished", "Cd", "f"),
            ]
            or True
        )

    inside(body)


def test_a_boot_that_stands_still_until_the_next_reset(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        lab.put("boot-stuck", share=0.4, count=1)
        assert boot(lab, 86_400.0) == [("boot-started", "Cd", "f")]
        progress = lab.ask().json()["BootProgress"]["LastState"]
        assert progress not in ("None", "OSRunning")
        lab.runtime.sleep(86_400.0)
        assert lab.ask().json()["BootProgress"]["LastState"] == progress
        assert lab.reset("ForceRestart") == 204
        lab.runtime.sleep(900.0)
        assert lab.ask().json()["BootProgress"]["LastState"] == "OSRunning"

    inside(body)


def test_media_that_go(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        drive = lab.drive
        assert lab.insert() == 204
        lab.put("media-ejected", start=50)
        lab.runtime.sleep(49.0)
        assert lab.ask(drive).json()["Inserted"] is True
        lab.runtime.sleep(2.0)
        assert lab.ask(drive).json()["Inserted"] is False
        assert lab.events()[-1] == ("media-ejected", "f")
        assert lab.insert() == 204, "once is once"
        assert lab.ask(drive).json()["Inserted"] is True
        lab.fleet.faults.clear()
        lab.put("media-lost")
        assert boot(lab)[0] == ("media-ejected", lab.disc, "f")
        assert lab.ask(drive).json()["Inserted"] is False

    inside(body)


def test_a_bmc_that_reboots_forgets(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        login = {"UserName": USER, "Password": PASSWORD}
        lab.ask(f"{ROOT}/SessionService/Sessions", "POST", json=login)
        assert (lab.boot_once(), lab.insert()) == (204, 204)
        lab.put("bmc-reboot", start=10, unreachable=30)
        lab.runtime.sleep(11.0)
        with pytest.raises(requests.exceptions.ConnectionError, match="refused"):
            lab.ask()
        assert lab.fleet.log().records[-1].fault == "f"
        lab.runtime.sleep(29.5)
        assert lab.ask().json()["Boot"]["BootSourceOverrideEnabled"] == "Disabled"
        assert lab.ask(lab.drive).json()["Inserted"] is False
        assert lab.ask(f"{ROOT}/SessionService/Sessions").json()["Members"] == []

    inside(body)


def test_a_clock_that_is_wrong(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        manager = f"{ROOT}/Managers/{lab.bmc.manager_id}"
        right = lab.ask(manager).json()["DateTime"]
        lab.put("wrong-clock", ahead=-3 * 86_400, duration=100)
        wrong = lab.ask(manager).json()["DateTime"]
        assert wrong < right
        assert lab.insert() == 204
        entries = lab.ask(f"{lab.system_path}/LogServices/Event/Entries").json()["Members"]
        assert entries[-1]["Created"][:10] == wrong[:10]
        lab.runtime.sleep(101.0)
        assert lab.ask(manager).json()["DateTime"] > right

    inside(body)


def test_credentials_that_were_rotated(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        fault = lab.put("credentials-rotated", duration=100)
        assert lab.ask().status_code == 401
        lab.session.auth = (USER, lab.fleet.spans.secret(fault))
        assert lab.ask().status_code == 200
        lab.runtime.sleep(101.0)
        assert lab.ask().status_code == 401
        lab.session.auth = (USER, PASSWORD)
        assert lab.ask().status_code == 200

    inside(body)


# --- correlated --------------------------------------------------------------------------------


def test_a_racks_power(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        boot(lab)
        other = lab.fleet.bmcs["host-003"].machine
        lab.put("power-loss", select={"racks": ["rack-0"]}, duration=60, bmc_boot=20)
        with pytest.raises(requests.exceptions.ConnectionError, match="refused"):
            lab.ask()
        assert (lab.bmc.machine.power, other.mains) == ("Off", True)
        lab.runtime.sleep(79.0)
        with pytest.raises(requests.exceptions.ConnectionError, match="refused"):
            lab.ask()
        lab.runtime.sleep(900.0)
        system = lab.ask().json()
        assert (system["PowerState"], system["BootProgress"]["LastState"]) == ("On", "OSRunning")

    inside(body)


@pytest.mark.parametrize(("restore", "power"), [("AlwaysOff", "Off"), ("AlwaysOn", "On")])
def test_hosts_come_back_as_their_policy_says(inside: Inside, restore: str, power: str) -> None:
    def body(lab: Lab) -> None:
        lab.put("power-loss", restore=restore, bmc=False, duration=60)
        assert lab.reset("On") == 204, "a BMC with another feed accepts what it cannot do"
        lab.runtime.sleep(59.0)
        assert lab.ask().json()["PowerState"] == "Off"
        lab.runtime.sleep(300.0)
        assert lab.ask().json()["PowerState"] == power

    inside(body)


def test_a_firmwares_bug_is_one_entry(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        symptoms = [
            {"kind": "error", "status": 500, "match": {"methods": ["POST"]}},
            {"kind": "null-power"},
        ]
        select = {"vendors": ["dell", "hpe"], "firmware": [lab.bmc.personality.bmc_firmware]}
        lab.put("firmware-bug", symptoms=symptoms, select=select, duration=100)
        assert lab.reset("On") == 500
        assert lab.ask().json()["PowerState"] is None
        assert [r.fault for r in lab.fleet.log().records[-2:]] == ["f#1", "f#2"]
        assert {a.chosen for a in lab.fleet.faults.list()} == {frozenset({"host-001"})}
        assert lab.fleet.faults.clear("f") == 3
        assert lab.reset("On") == 204

    inside(body)


# --- when, how often, with what luck -----------------------------------------------------------


def test_what_comes_again(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        lab.put("error", status=500, start=10, duration=5, every=20, times=3)
        seen = []
        for second in range(90):
            seen.append((second, lab.ask().status_code))
            lab.runtime.sleep(1.0)
        struck = [second for second, status in seen if status == 500]
        assert struck == [*range(10, 15), *range(30, 35), *range(50, 55)]
        lab.fleet.faults.clear()
        lab.put("media-ejected", start=10, duration=1, every=20, times=3)
        for _ in range(5):
            lab.insert()
            lab.runtime.sleep(20.0)
        assert lab.events().count(("media-ejected", "f")) == 3

    inside(body)


@pytest.mark.parametrize("direction", ["calls", "answers"])
def test_a_loss_is_of_the_call_or_of_its_answer(inside: Inside, direction: str) -> None:
    def body(lab: Lab) -> None:
        lab.put("loss", direction=direction, duration=1)
        with pytest.raises(requests.ReadTimeout):
            lab.boot_once()
        assert lab.runtime.now() == TIMEOUT
        lab.runtime.sleep(0.0)
        record = lab.fleet.log().records[-1]
        assert (record.performed, record.status) == (direction == "answers", 0)

    inside(body)


def test_it_may_be_one_client_that_is_hit(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        lab.put("error", match={"clients": ["beskar7-manager/a", "x*"]})
        for agent, status in (("beskar7-manager/a", 503), ("beskar7-manager/b", 200), ("xy", 503)):
            assert lab.ask(headers={"User-Agent": agent}).status_code == status

    inside(body)


RATED = [name for name, kind in KINDS.items() if kind.acts in ("connection", "request", "answer")]
N, P, Z = 400, 0.3, 3.29
"""Trials, chance, and the normal quantile of a confidence of 99.9 %."""


@pytest.mark.parametrize("name", RATED)
def test_every_kind_strikes_at_its_rate(inside: Inside, name: str) -> None:
    def body(lab: Lab) -> None:
        lab.fleet.faults.add(Fault.from_dict(sample(name) | {"probability": P}))
        faults, host = lab.fleet.faults, lab.bmc.name
        if KINDS[name].acts == "connection":
            hits = sum(bool(faults.strike(host, "connection", 0.0)) for _ in range(N))
        else:
            hits = sum(bool(faults.match(host, "GET", "/", 0.0).id) for _ in range(N))
        assert abs(hits - N * P) < Z * math.sqrt(N * P * (1 - P)), hits

    inside(body)


def test_a_span_strikes_each_time_at_its_rate(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        lab.put("wrong-clock", probability=P, duration=1, every=2, times=N)
        lab.runtime.sleep(2.0 * N + 1)
        kinds = lab.events()
        hits = sum(event == ("clock-changed", "f") for event in kinds) / 2
        trials = N * len(lab.fleet.bmcs)
        assert abs(hits - trials * P) < Z * math.sqrt(trials * P * (1 - P))

    inside(body)


def test_another_fault_shifts_no_draw(inside: Inside) -> None:
    def body(lab: Lab) -> None:
        def pattern(others: bool) -> list[bool]:
            seed = lab.fleet.spec.seed
            runtime = VirtualRuntime(seed)
            fleet = Fleet(lab.fleet.spec, runtime, Credentials(USER, PASSWORD))
            if others:
                # It comes first and decides, and often; the second still draws for each request.
                fleet.faults.add(Fault.from_dict({"id": "g", "kind": "hang", "probability": 0.5}))
            active = fleet.faults.add(Fault.from_dict(sample("html") | {"probability": P}))
            seen = []
            for _ in range(N):
                before = active.hits
                decided = fleet.faults.match("host-001", "GET", "/", 0.0).id
                seen.append(active.hits > before if decided != "g" else None)
            return seen

        alone, beside = pattern(False), pattern(True)
        assert all(b is None or a == b for a, b in zip(alone, beside, strict=True))
        assert None in beside

    inside(body)
