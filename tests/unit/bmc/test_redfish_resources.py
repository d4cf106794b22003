"""The resources that sushy-tools lacks: what they show follows what happened to the machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from emulator.bmc.boot import OPTIONS
from emulator.bmc.inprocess import FleetAdapter
from emulator.bmc.services.events import LIMIT, is_loopback
from emulator.bmc.services.hardware import dimms
from emulator.bmc.services.logs import KEPT
from emulator.bmc.services.managers import GRACE, REBOOT
from emulator.bmc.services.updates import TRANSFER, new_version

if TYPE_CHECKING:
    from conftest import Client

    from beskar7.runtime import VirtualRuntime
    from emulator.bmc.fleet import Fleet

pytestmark = pytest.mark.unit
LONG = 500.0
"""Longer than anything takes at the scale of these fleets."""


def manager(client: Client) -> str:
    return client.manager


def events(client: Client) -> list[tuple[str, str]]:
    client.fleet.settle()
    return [(event.type, event.detail) for event in client.events()]


def test_the_inventory_adds_up(client: Client) -> None:
    system = client.get(client.system)
    cpus = client.get(f"{client.system}/Processors?$expand=.")["Members"]
    assert len(cpus) == system["ProcessorSummary"]["Count"]
    assert sum(cpu["TotalCores"] for cpu in cpus) == system["ProcessorSummary"]["CoreCount"]
    modules = client.get(f"{client.system}/Memory?$expand=.")["Members"]
    total = sum(module["CapacityMiB"] for module in modules) // 1024
    assert total == system["MemorySummary"]["TotalSystemMemoryGiB"]
    storage = client.get(f"{client.system}/Storage/1?$expand=*")
    assert len({drive["SerialNumber"] for drive in storage["Drives"]}) == 2
    nic = client.get(f"{client.system}/NetworkInterfaces/NIC1?$expand=~")
    assert nic["Links"]["NetworkAdapter"]["Model"] == "25GbE"


@pytest.mark.parametrize("gib", [1, 16, 17, 128, 1000])
def test_modules_make_up_the_memory(gib: int) -> None:
    assert sum(dimms(gib)) == gib
    assert all(module > 0 for module in dimms(gib))


def test_bios_settings_wait_for_the_next_boot(client: Client, virtual: VirtualRuntime) -> None:
    bios, settings = f"{client.system}/BIOS", f"{client.system}/BIOS/Settings"

    def main() -> None:
        wanted = {"Attributes": {"ProcTurboMode": "Disabled"}}
        assert client.call("PATCH", settings, wanted).status == 200
        assert client.get(bios)["Attributes"]["ProcTurboMode"] == "Enabled"
        assert client.get(settings)["Attributes"]["ProcTurboMode"] == "Disabled"
        client.reset("On")
        virtual.sleep(LONG)
        shown = client.get(bios)
        assert shown["Attributes"]["ProcTurboMode"] == "Disabled"
        assert shown["@Redfish.Settings"]["Time"]
        client.call("POST", f"{bios}/Actions/Bios.ResetBios")
        assert client.get(bios)["Attributes"]["ProcTurboMode"] == "Disabled"
        client.reset("ForceRestart")
        virtual.sleep(LONG)
        assert client.get(bios)["Attributes"]["ProcTurboMode"] == "Enabled"

    virtual.run(main)


@pytest.mark.parametrize(
    "body",
    [
        {"Attributes": {"Nonsense": "x"}},
        {"Attributes": {"ProcTurboMode": "Maybe"}},
        {"Attributes": {"ProcTurboMode": 1}},
        {"Attributes": []},
        {"@Redfish.SettingsApplyTime": {"ApplyTime": "Immediate"}, "Attributes": {}},
    ],
)
def test_bios_settings_that_cannot_be_are_refused(client: Client, body: dict[str, Any]) -> None:
    before = client.get(f"{client.system}/BIOS/Settings")
    assert client.call("PATCH", f"{client.system}/BIOS/Settings", body).status == 400
    assert client.get(f"{client.system}/BIOS/Settings") == before


BOOTS: list[tuple[dict[str, Any], list[str]]] = [
    ({"BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once"}, ["Pxe:", "Hdd:"]),
    (
        {"BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Continuous"},
        ["Pxe:", "Pxe:"],
    ),
    (
        {
            "BootSourceOverrideTarget": "UefiHttp",
            "BootSourceOverrideEnabled": "Once",
            "HttpBootUri": "http://images/x.efi",
        },
        ["UefiHttp:http://images/x.efi", "Hdd:"],
    ),
    (
        {
            "BootSourceOverrideTarget": "UefiBootNext",
            "BootSourceOverrideEnabled": "Once",
            "BootNext": "Boot0002",
        },
        ["Pxe:", "Hdd:"],
    ),
    (
        {
            "BootSourceOverrideTarget": "UefiTarget",
            "BootSourceOverrideEnabled": "Continuous",
            "UefiTargetBootSourceOverride": OPTIONS["Boot0002"].device_path,
        },
        ["Pxe:", "Pxe:"],
    ),
    ({"BootOrder": ["Boot0003", "Boot0002", "Boot0001", "Boot0004"]}, ["Pxe:", "Pxe:"]),
    ({"BootSourceOverrideTarget": "Cd", "BootSourceOverrideEnabled": "Once"}, ["Hdd:", "Hdd:"]),
    ({"BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Disabled"}, ["Hdd:"]),
]


@pytest.mark.parametrize(("boot", "expected"), BOOTS)
def test_the_machine_boots_what_it_was_told(
    client: Client, virtual: VirtualRuntime, boot: dict[str, Any], expected: list[str]
) -> None:
    def main() -> None:
        assert client.boot(**boot) == 204
        for index in range(len(expected)):
            client.reset("ForceRestart" if index else "On")
            virtual.sleep(LONG)

    virtual.run(main)
    assert [detail for kind, detail in events(client) if kind == "boot-started"] == expected


@pytest.mark.parametrize(
    "boot",
    [
        {"BootNext": "Boot9999"},
        {"BootOrder": ["Boot0001"]},
        {"BootOrder": "Boot0001"},
        {"UefiTargetBootSourceOverride": "nowhere"},
        {"BootSourceOverrideTarget": "UefiTarget"},
        {"BootSourceOverrideTarget": "UefiBootNext"},
        {"Bogus": 1},
        {},
    ],
)
def test_boots_that_cannot_be_are_refused(client: Client, boot: dict[str, Any]) -> None:
    before = client.get(client.system)
    assert client.boot(**boot) == 400
    assert client.get(client.system) == before


def test_a_power_cycle_goes_off_and_on(client: Client, virtual: VirtualRuntime) -> None:
    def main() -> None:
        client.reset("On")
        virtual.sleep(LONG)
        assert client.reset("PowerCycle") == 204
        virtual.sleep(LONG)

    virtual.run(main)
    kinds = [kind for kind, _ in events(client)]
    assert kinds[3:] == ["power-off", "power-on", "boot-started", "boot-finished"]


def test_power_and_temperature_follow_the_machine(client: Client, virtual: VirtualRuntime) -> None:
    chassis = client.get("/redfish/v1/Chassis")["Members"][0]["@odata.id"]

    def watts() -> int:
        found = client.get(f"{chassis}/Power")["PowerControl"][0]["PowerConsumedWatts"]
        return int(found)

    def main() -> None:
        off = watts()
        cold = client.get(f"{chassis}/Thermal")["Temperatures"][1]["ReadingCelsius"]
        client.reset("On")
        virtual.sleep(LONG)
        assert watts() > off
        assert client.get(f"{chassis}/Thermal")["Temperatures"][1]["ReadingCelsius"] > cold

    virtual.run(main)


def test_the_journal_tells_what_happened(client: Client, virtual: VirtualRuntime) -> None:
    log = f"{client.system}/LogServices/Event"

    def main() -> None:
        client.insert("http://images/x.iso")
        virtual.sleep(2.0)
        client.reset("On")
        virtual.sleep(LONG)
        shown = client.get(f"{log}/Entries")["Members"]
        ids = [entry["MessageId"].rpartition(".")[2] for entry in shown]
        assert ids == ["MediaInserted", "PowerOn", "BootStarted", "BootFinished"]
        assert shown[0]["Created"] < shown[1]["Created"]
        assert client.get(shown[0]["@odata.id"])["Message"] == shown[0]["Message"]
        assert client.call("POST", f"{log}/Actions/LogService.ClearLog").status == 204
        assert client.get(f"{log}/Entries")["Members@odata.count"] == 0
        for _ in range(KEPT):
            client.insert("http://images/x.iso")
            client.eject()
        assert client.get(f"{log}/Entries")["Members@odata.count"] == KEPT

    virtual.run(main)


def test_a_bmc_that_reboots_is_out_of_reach_and_forgets_its_sessions(
    client: Client, fleet: Fleet, virtual: VirtualRuntime
) -> None:
    import requests

    address = f"http://{client.bmc.spec.address}"
    reboot, grace = REBOOT * fleet.spec.boot_scale, GRACE * fleet.spec.boot_scale

    def main() -> None:
        http = requests.Session()
        http.mount("http://", FleetAdapter(fleet, virtual))
        login = {"UserName": "admin", "Password": "correct horse"}
        answer = http.post(f"{address}/redfish/v1/SessionService/Sessions", json=login)
        http.headers["X-Auth-Token"] = answer.headers["X-Auth-Token"]
        client.reset("On")
        reset = f"{address}{manager(client)}/Actions/Manager.Reset"
        assert http.post(reset, json={"ResetType": "Off"}).status_code == 400
        assert http.post(reset, json={"ResetType": "ForceRestart"}).status_code == 204
        virtual.sleep(grace / 2)
        assert http.get(f"{address}{client.system}").status_code == 200
        virtual.sleep(reboot * 0.9 + grace / 2)
        with pytest.raises(requests.ConnectionError):
            http.get(f"{address}{client.system}")
        virtual.sleep(reboot * 0.2)
        assert http.get(f"{address}{client.system}").status_code == 401
        virtual.sleep(LONG)
        # The machine went on all the while.
        assert client.get(client.system)["BootProgress"]["LastState"] == "OSRunning"
        log = client.get(f"{manager(client)}/LogServices/Log/Entries")["Members"]
        assert [entry["MessageArgs"] for entry in log] == [["ForceRestart"]]

    virtual.run(main)


def update(client: Client, **body: Any) -> Any:
    path = "/redfish/v1/UpdateService/Actions/UpdateService.SimpleUpdate"
    return client.call("POST", path, body)


def test_an_update_is_a_task_that_ends_in_a_reboot(
    client: Client, fleet: Fleet, virtual: VirtualRuntime
) -> None:
    scale = fleet.spec.boot_scale
    flash, reboot, grace = TRANSFER * scale, REBOOT * scale, GRACE * scale

    def main() -> None:
        answer = update(client, ImageURI="http://images/idrac_7.20.10.bin")
        assert answer.status == 202
        monitor, task = answer.headers["Location"], orjson.loads(answer.body)["@odata.id"]
        assert client.call("GET", monitor).status == 202
        assert update(client, ImageURI="http://images/y.bin").status == 503
        virtual.sleep(flash / 2)
        shown = client.get(task)
        assert (shown["TaskState"], shown["PercentComplete"]) == ("Running", 50)
        assert client.get("/redfish/v1/TaskService/Tasks")["Members"] == [{"@odata.id": task}]
        virtual.sleep(flash / 2 + grace + 0.001)
        fleet.settle()
        assert client.bmc.down_until == pytest.approx(flash + grace + reboot)
        virtual.sleep(reboot)
        assert client.call("GET", monitor).status == 200
        shown = client.get(task)
        assert (shown["TaskState"], shown["PercentComplete"]) == ("Completed", 100)
        assert client.get(manager(client))["FirmwareVersion"] == "7.20.10"
        assert client.call("DELETE", task).status == 204
        assert client.call("GET", task).status == 404

    virtual.run(main)
    assert [kind for kind, _ in events(client)] == ["firmware-updated", "bmc-reset"]


def test_a_new_bios_needs_a_boot(client: Client, virtual: VirtualRuntime) -> None:
    inventory = "/redfish/v1/UpdateService/FirmwareInventory/BIOS"

    def main() -> None:
        answer = update(client, ImageURI="http://images/bios-3.1.4.cap", Targets=[inventory])
        assert answer.status == 202
        virtual.sleep(LONG)
        assert client.get(inventory)["Version"] == "2.10.0"
        client.reset("On")
        virtual.sleep(LONG)
        assert client.get(inventory)["Version"] == "3.1.4"
        assert client.get(client.system)["BiosVersion"] == "3.1.4"

    virtual.run(main)


def test_a_cancelled_update_changes_nothing(client: Client, virtual: VirtualRuntime) -> None:
    def main() -> None:
        before = client.get(manager(client))["FirmwareVersion"]
        monitor = update(client, ImageURI="http://images/x-9.9.bin").headers["Location"]
        assert client.call("DELETE", monitor).status == 204
        virtual.sleep(LONG)
        assert client.get(manager(client))["FirmwareVersion"] == before
        assert client.call("GET", client.system).status == 200

    virtual.run(main)
    assert events(client) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ImageURI": 1},
        {"ImageURI": "x.bin"},
        {"ImageURI": "http://a/x", "TransferProtocol": "PIGEON"},
        {"ImageURI": "http://a/x", "Targets": ["/redfish/v1/Nowhere"]},
        {"ImageURI": "http://a/x", "Targets": "BMC"},
    ],
)
def test_updates_that_cannot_be_are_refused(client: Client, body: dict[str, Any]) -> None:
    assert update(client, **body).status == 400
    assert client.get("/redfish/v1/TaskService/Tasks")["Members"] == []


@pytest.mark.parametrize(
    ("image", "version"),
    [("http://a/x-1.2.3.bin", "1.2.3"), ("http://a/x.bin", "7.1"), ("http://1.2.3.4/x", "7.1")],
)
def test_the_version_is_that_of_the_images_name(image: str, version: str) -> None:
    assert new_version(image, "7.0") == version


def subscribe(client: Client, url: str, **more: Any) -> Any:
    body = {"Destination": url, "Protocol": "Redfish", **more}
    return client.call("POST", "/redfish/v1/EventService/Subscriptions", body)


def test_subscribers_on_this_machine_hear_what_happens(client: Client, fleet: Fleet) -> None:
    sent: list[tuple[str, Mapping[str, str], dict[str, Any]]] = []
    fleet.deliver = lambda url, headers, body: sent.append((url, headers, orjson.loads(body)))
    headers = [{"X-Secret": "s3cret"}]
    answer = subscribe(client, "http://127.0.0.1:9/x", Context="mine", HttpHeaders=headers)
    assert answer.status == 201
    assert subscribe(client, "https://192.0.2.1/elsewhere").status == 201
    assert b"s3cret" not in client.call("GET", answer.headers["Location"]).body
    client.insert("http://images/x.iso")
    [(url, given, event)] = sent
    assert (url, given["X-Secret"], event["Context"]) == ("http://127.0.0.1:9/x", "s3cret", "mine")
    assert event["Events"][0]["MessageId"] == "Beskar7.1.0.MediaInserted"
    path = "/redfish/v1/EventService/Actions/EventService.SubmitTestEvent"
    assert client.call("POST", path, {"MessageId": "Test.1.0.Hello"}).status == 204
    assert sent[1][2]["Events"][0]["MessageId"] == "Test.1.0.Hello"
    assert client.call("DELETE", answer.headers["Location"]).status == 204
    client.eject()
    assert len(sent) == 2


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1/x", True),
        ("http://127.9.9.9:80/", True),
        ("https://[::1]/x", True),
        ("http://localhost/", True),
        ("http://127.0.0.1.example.org/", False),
        ("http://127.0.0.1@192.0.2.1/", False),
        ("http://192.0.2.1/127.0.0.1", False),
        ("http://2130706433/", False),
        ("nonsense", False),
    ],
)
def test_what_is_on_this_machine(url: str, here: bool) -> None:
    assert is_loopback(url) is here


@pytest.mark.parametrize(
    "more",
    [
        {"Destination": "ftp://127.0.0.1/"},
        {"Destination": 7},
        {"Protocol": "SNMPv1"},
        {"EventFormatType": "MetricReport"},
        {"HttpHeaders": [{"X": "a\r\nY: b"}]},
        {"HttpHeaders": ["X"]},
        {"Context": 5},
    ],
)
def test_impossible_subscriptions_are_refused(client: Client, more: dict[str, Any]) -> None:
    body = {"Destination": "http://127.0.0.1/", "Protocol": "Redfish", **more}
    assert client.call("POST", "/redfish/v1/EventService/Subscriptions", body).status == 400


def test_there_is_room_for_so_many_subscriptions(client: Client) -> None:
    answers = [subscribe(client, "http://127.0.0.1/").status for _ in range(LIMIT + 1)]
    assert answers == [201] * LIMIT + [400]


def test_network_settings_are_patched_as_arrays_are(client: Client) -> None:
    path = f"{manager(client)}/NetworkProtocol"

    def servers(value: Any) -> Any:
        answer = client.call("PATCH", path, {"NTP": {"NTPServers": value}})
        return orjson.loads(answer.body)["NTP"]["NTPServers"] if answer.status == 200 else None

    assert servers(["a", "b", "c"]) == ["a", "b", "c"]
    assert servers([{}, "x"]) == ["a", "x"]
    assert servers([None, "x"]) == ["x"]
    assert servers([7]) is None
    assert servers([]) == []
    assert client.call("PATCH", path, {"SSH": {"ProtocolEnabled": True}}).status == 200
    assert client.get(path)["SSH"]["ProtocolEnabled"] is True
    assert client.call("PATCH", path, {"HTTP": {"ProtocolEnabled": False}}).status == 400
