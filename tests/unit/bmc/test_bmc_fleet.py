"""The fleet's core: one sushy-tools application, many BMCs, and what we changed about it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from sushy_tools.emulator import main as upstream

from beskar7.runtime import VirtualRuntime
from emulator.bmc.application import FleetApplication, install
from emulator.bmc.boot import OPTIONS
from emulator.bmc.fleet import Fleet
from emulator.bmc.redfish import Request

if TYPE_CHECKING:
    from conftest import Client

pytestmark = pytest.mark.unit


def test_installing_twice_changes_nothing() -> None:
    application = install()
    assert install() is application is upstream.app
    assert isinstance(application, FleetApplication)


def test_every_bmc_has_its_own_state(fleet: Fleet, client: Client) -> None:
    other = type(client)(fleet, "host-002")
    assert client.insert("http://images/x.iso") == 204
    assert client.boot(BootSourceOverrideTarget="Cd", BootSourceOverrideEnabled="Once") == 204
    assert client.get(client.system)["Boot"]["BootSourceOverrideTarget"] == "Cd"
    assert other.get(other.system)["Boot"]["BootSourceOverrideTarget"] == "None"
    assert other.get(f"{other.media}/{other.disc}")["Inserted"] is False
    assert other.call("GET", client.system).status == 404


def test_the_system_carries_identity_and_inventory(client: Client) -> None:
    system = client.get(client.system)
    assert system["Manufacturer"] == "Dell Inc."
    assert system["Model"].startswith("PowerEdge")
    assert len(system["SerialNumber"]) == 7
    assert system["HostName"] == "host-001"
    assert system["ProcessorSummary"]["Count"] == 2
    assert system["ProcessorSummary"]["CoreCount"] == 32
    assert system["MemorySummary"]["TotalSystemMemoryGiB"] == 128
    assert system["Status"]["Health"] == "OK"
    assert system["BootProgress"]["LastState"] == "None"
    assert system["PowerState"] == "Off"


def test_head_is_a_get_without_a_body(client: Client) -> None:
    for path in ("/redfish/v1/", client.system):
        answer = client.call("HEAD", path)
        assert (answer.status, answer.body) == (200, b"")


def test_polling_a_boot_leaves_nothing_behind(client: Client, fleet: Fleet) -> None:
    client.reset("On")
    for _ in range(50):
        client.get(client.system)
    assert len(fleet._due) == 1


def test_every_link_within_system_and_manager_leads_somewhere(client: Client) -> None:
    def links(node: Any) -> list[str]:
        if isinstance(node, dict):
            own = [node["@odata.id"].partition("#")[0]] if "@odata.id" in node else []
            return own + [link for value in node.values() for link in links(value)]
        return [link for item in node for link in links(item)] if isinstance(node, list) else []

    own = (client.system, client.manager)
    seen, todo = set(), [client.system]
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo += [link for link in links(client.get(path)) if link.startswith(own)]
    assert f"{client.system}/EthernetInterfaces/{client.bmc.mac}" in seen


def test_addresses_are_listed_and_differ(fleet: Fleet, client: Client) -> None:
    found = set()
    for name in fleet.bmcs:
        one = type(client)(fleet, name)
        nic = one.get(f"{one.system}/EthernetInterfaces/{one.bmc.mac}")
        found.add((nic["IPv4Addresses"][0]["Address"], nic["MACAddress"]))
    assert len({ip for ip, _ in found}) == len({mac for _, mac in found}) == len(fleet.bmcs)


@pytest.mark.parametrize("device", ["Cd", "Floppy"])
def test_asking_for_an_unknown_device_ejects_nothing(
    client: Client, fleet_of: Callable[..., Fleet], device: str
) -> None:
    client = type(client)(fleet_of(vendors=("generic",)))
    assert client.insert("http://images/x.iso", device) == 204
    assert client.call("GET", f"{client.media}/Tape").status == 404
    assert client.get(f"{client.media}/{device}")["Image"] == "http://images/x.iso"


def test_media_are_neither_downloaded_nor_left_behind(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert client.insert("http://203.0.113.1/unreachable.iso") == 204
    assert client.eject() == 204
    assert client.get(f"{client.media}/{client.disc}")["Image"] is None
    assert client.bmc.machine.media == {}
    assert list(tmp_path.iterdir()) == []
    assert [event.type for event in client.events()] == ["media-inserted", "media-ejected"]


@pytest.mark.parametrize("body", [{}, {"Image": None}, {"Image": "x.iso"}, {"Image": ["http://a"]}])
def test_media_without_a_url_are_refused(client: Client, body: dict[str, Any]) -> None:
    path = f"{client.media}/{client.disc}/Actions/VirtualMedia.InsertMedia"
    assert client.call("POST", path, body).status == 400
    assert client.events() == []


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"nonsense", b'{"ResetType": null}'])
def test_a_reset_without_a_type_is_refused(client: Client, body: bytes) -> None:
    path = f"{client.system}/Actions/ComputerSystem.Reset"
    answer = client.call("POST", path, body)
    assert answer.status == 400
    assert orjson.loads(answer.body)["error"]["@Message.ExtendedInfo"]


@pytest.mark.parametrize(
    "boot",
    [
        {"BootSourceOverrideTarget": "Tape", "BootSourceOverrideEnabled": "Once"},
        {"BootSourceOverrideTarget": "Cd", "BootSourceOverrideEnabled": "Sometimes"},
        {"BootSourceOverrideTarget": "Cd", "BootSourceOverrideEnabled": 1},
        {"BootSourceOverrideMode": "Fast"},
    ],
)
def test_impossible_overrides_are_refused(client: Client, boot: dict[str, Any]) -> None:
    assert client.boot(**boot) == 400
    shown = client.get(client.system)["Boot"]
    assert shown["BootSourceOverrideEnabled"] == "Disabled"
    assert shown["BootSourceOverrideTarget"] == "None"


def test_an_override_can_be_switched_off_alone(client: Client) -> None:
    assert (
        client.boot(BootSourceOverrideTarget="Pxe", BootSourceOverrideEnabled="Continuous") == 204
    )
    assert client.boot(BootSourceOverrideEnabled="Disabled") == 204
    shown = client.get(client.system)["Boot"]
    assert (shown["BootSourceOverrideTarget"], shown["BootSourceOverrideEnabled"]) == (
        "Pxe",
        "Disabled",
    )


def test_what_the_system_allows_it_takes(client: Client) -> None:
    system = client.get(client.system)
    for target in system["Boot"]["BootSourceOverrideTarget@Redfish.AllowableValues"]:
        detail = {
            "UefiTarget": {"UefiTargetBootSourceOverride": OPTIONS["Boot0001"].device_path},
            "UefiBootNext": {"BootNext": "Boot0002"},
        }
        boot = {"BootSourceOverrideTarget": target, **detail.get(target, {})}
        assert client.boot(**boot) == 204, target
    reset = system["Actions"]["#ComputerSystem.Reset"]
    for kind in reset["ResetType@Redfish.AllowableValues"]:
        assert client.reset(kind) == 204, kind


@pytest.mark.parametrize(
    "header", [None, "", "Basic", "Basic bm9ib2R5Om5vdGhpbmc=", "Bearer x", "Basic \udcff"]
)
def test_without_the_password_only_the_entrance_is_open(
    fleet: Fleet, client: Client, header: str | None
) -> None:
    client.headers = {} if header is None else {"Authorization": header}
    assert client.call("GET", "/redfish/v1/").status == 200
    assert client.call("GET", "/redfish").status == 200
    answer = client.call("GET", client.system)
    assert answer.status == 401
    assert "Basic" in answer.headers["WWW-Authenticate"]
    assert orjson.loads(answer.body)["error"]["message"]
    assert client.reset("On") == 401
    assert client.call("POST", "/redfish/v1/", {}).status == 401
    record = fleet.log().records[-2]
    assert (record.action, record.status, record.performed) == ("reset:On", 401, False)


def test_answers_that_were_kept_are_not_stale(
    client: Client, fleet: Fleet, virtual: VirtualRuntime
) -> None:
    def main() -> list[str]:
        assert client.reset("On") == 204
        seen = []
        while not seen or seen[-1] != "On OSRunning":
            system = client.get(client.system)
            now = f"{system['PowerState']} {system['BootProgress']['LastState']}"
            if now not in seen:
                seen.append(now)
            virtual.sleep(0.01)
        assert client.get(client.system)["IndicatorLED"] == "Lit"
        client.call("PATCH", client.system, {"IndicatorLED": "Off"})
        assert client.get(client.system)["IndicatorLED"] == "Off"
        return seen

    seen = virtual.run(main, until=100.0)
    assert seen[0] == "Off None"
    assert seen[-2:] == ["On OSBootStarted", "On OSRunning"]
    assert "On SystemHardwareInitializationComplete" in seen


def test_the_log_is_complete_and_in_order_though_nobody_looked(
    fleet: Fleet, client: Client, virtual: VirtualRuntime
) -> None:
    def main() -> None:
        for name in fleet.bmcs:
            type(client)(fleet, name).reset("On")
        virtual.sleep(60.0)

    virtual.run(main)
    page = fleet.log()
    assert page.now == 60.0
    times = [event.time for event in page.events]
    assert times == sorted(times)
    assert times[-1] < 60.0
    assert [event.type for event in page.events].count("boot-finished") == len(fleet.bmcs)
    assert [event.seq for event in page.events] == list(range(1, len(times) + 1))


def test_a_log_page_says_when_there_is_more(fleet: Fleet, client: Client) -> None:
    for _ in range(5):
        client.get(client.system)
    page = fleet.log(after_records=1, limit=2)
    assert [record.seq for record in page.records] == [2, 3]
    assert page.more
    assert not fleet.log(after_records=3).more


def test_actions_are_named_in_the_log(client: Client, fleet: Fleet) -> None:
    client.get(client.system)
    client.insert("http://images/x.iso")
    client.boot(BootSourceOverrideTarget="Cd", BootSourceOverrideEnabled="Once")
    client.reset("ForceRestart")
    client.eject()
    client.call("PATCH", client.system, {"IndicatorLED": "Off"})
    client.reset("Suspend")
    assert [(record.action, record.performed) for record in fleet.log().records] == [
        ("", False),
        ("insert-media", True),
        ("set-boot", True),
        ("reset:ForceRestart", True),
        ("eject-media", True),
        ("patch", True),
        ("reset:Suspend", False),
    ]


def test_latency_depends_on_the_kind_of_request_and_the_hosts_luck_alone(
    fleet_of: Callable[..., Fleet],
) -> None:
    def draws(noise: bool) -> list[float]:
        runtime = VirtualRuntime(seed=3)
        fleet = fleet_of(scale={"latency": 1.0})
        fleet = type(fleet)(fleet.spec, runtime, _credentials(fleet))
        bmc, other = fleet.bmcs["host-001"], fleet.bmcs["host-002"]
        times = []
        for _ in range(20):
            request = Request("GET", "/redfish/v1/", {})
            for one in (other, bmc) if noise else (bmc,):
                plan = fleet.admit(one, request)
                fleet.finish(one, request, plan, None)
            times.append(plan.before + plan.after)
        return times

    assert draws(noise=False) == draws(noise=True)
    assert len(set(draws(noise=False))) == 20


def _credentials(fleet: Fleet) -> Any:
    from emulator.bmc.spec import Credentials

    return Credentials("admin", "x")


def test_state_shows_every_machine(client: Client, fleet: Fleet) -> None:
    client.insert("http://images/x.iso")
    client.reset("On")
    state = fleet.state()
    assert set(state) == set(fleet.bmcs)
    mine = state["host-001"]
    assert (mine["power"], mine["pending"]) == ("Off", "On")
    assert mine["media"] == {client.disc: "http://images/x.iso"}
    assert mine["boot_override"] == {"target": "None", "enabled": "Disabled"}
