"""Each defect of stock sushy-tools that we know of, and its repair."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Client

    from beskar7.runtime import VirtualRuntime
    from emulator.bmc.fleet import Fleet

pytestmark = pytest.mark.unit


def override(client: Client) -> tuple[str, str]:
    boot = client.get(client.system)["Boot"]
    return boot["BootSourceOverrideTarget"], boot["BootSourceOverrideEnabled"]


def test_a_one_time_boot_is_cleared_by_the_boot_and_a_continuous_one_is_not(
    client: Client, virtual: VirtualRuntime
) -> None:
    def main() -> None:
        for enabled, after in (
            ("Continuous", ("Pxe", "Continuous")),
            ("Once", ("None", "Disabled")),
        ):
            client.boot(BootSourceOverrideTarget="Pxe", BootSourceOverrideEnabled=enabled)
            assert override(client) == ("Pxe", enabled)
            client.reset("ForceRestart")
            virtual.sleep(500.0)
            assert override(client) == after

    virtual.run(main)


def test_an_unknown_boot_target_is_refused(client: Client) -> None:
    assert client.boot(BootSourceOverrideTarget="Tape", BootSourceOverrideEnabled="Once") == 400
    assert override(client) == ("None", "Disabled")


def test_looking_at_an_unknown_medium_ejects_none(client: Client) -> None:
    client.insert("http://images/x.iso")
    assert client.call("GET", f"{client.media}/Tape").status == 404
    assert client.get(f"{client.media}/{client.disc}")["Inserted"] is True


def test_a_clock_is_set_at_one_manager_and_goes_on(
    client: Client, fleet: Fleet, virtual: VirtualRuntime
) -> None:
    other = type(client)(fleet, "host-002")

    def date(one: Client) -> str:
        found: str = one.get(one.manager)["DateTime"]
        return found

    def main() -> None:
        path = client.manager
        before = date(other)
        new = {"DateTime": "2031-02-03T04:05:06+00:00"}
        assert client.call("PATCH", path, new).status == 204
        assert date(client) == "2031-02-03T04:05:06+00:00"
        assert date(other) == before
        virtual.sleep(60.0)
        assert date(client) == "2031-02-03T04:06:06+00:00"
        assert client.call("PATCH", path, {"DateTimeLocalOffset": "-05:30"}).status == 204
        assert date(client) == "2031-02-02T22:36:06-05:30"

    virtual.run(main)


@pytest.mark.parametrize(
    "body",
    [
        {"DateTime": "tomorrow"},
        {"DateTime": 5},
        {"DateTime": "2031-02-03T04:05:06"},
        {"DateTimeLocalOffset": "+99:00"},
        {"DateTimeLocalOffset": "UTC"},
    ],
)
def test_a_clock_is_not_set_to_nonsense(client: Client, body: dict[str, Any]) -> None:
    path = client.manager
    assert client.call("PATCH", path, body).status == 400


@pytest.mark.parametrize("body", [None, {}, {"ResetType": None}, {"ResetType": "Sleep"}])
def test_a_reset_without_a_type_is_a_bad_request(client: Client, body: Any) -> None:
    path = f"{client.system}/Actions/ComputerSystem.Reset"
    assert client.call("POST", path, body).status == 400


def test_the_managers_service_is_the_services_own(client: Client) -> None:
    manager = client.get(client.manager)
    assert manager["ServiceEntryPointUUID"] == client.get("/redfish/v1/")["UUID"]


@pytest.mark.parametrize(
    "path",
    [
        *("BIOS", "BIOS/Settings", "Processors", "SimpleStorage", "Memory", "LogServices"),
        *("BootOptions", "/redfish", "/redfish/v1/odata", "/redfish/v1/$metadata"),
        *("/redfish/v1/SessionService", "/redfish/v1/AccountService", "/redfish/v1/EventService"),
        *("/redfish/v1/TaskService/Tasks", "/redfish/v1/UpdateService/FirmwareInventory"),
    ],
)
def test_what_stock_answers_501_or_404_is_there(client: Client, path: str) -> None:
    where = path if path.startswith("/") else f"{client.system}/{path}"
    assert client.call("GET", where).status == 200


def test_the_power_of_a_chassis_is_there(client: Client) -> None:
    chassis = client.get("/redfish/v1/Chassis")["Members"][0]["@odata.id"]
    assert client.get(f"{chassis}/Power")["@odata.id"] == f"{chassis}/Power"


def test_an_image_leaves_nothing_on_the_disk_and_no_state_outlives_its_fleet(
    client: Client,
    fleet_of: Callable[..., Fleet],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for image in ("a", "b"):
        assert client.insert(f"http://images/{image}.iso") == 204
    drive = f"{client.media}/{client.disc}"
    assert client.get(drive)["ImageName"] == "b.iso"
    assert list(tmp_path.iterdir()) == []
    assert type(client)(fleet_of()).get(drive)["Image"] is None


def test_a_method_that_is_not_allowed_is_answered_with_those_that_are(client: Client) -> None:
    answer = client.call("DELETE", client.system)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, PATCH")
    assert answer.headers["OData-Version"] == "4.0"


@pytest.mark.parametrize("kind", ["Nmi", "PowerCycle"])
def test_the_resets_that_stock_answers_501_work(client: Client, kind: str) -> None:
    assert client.reset(kind) == 204
