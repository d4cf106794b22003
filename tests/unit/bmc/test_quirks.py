"""Each quirk, off in one BMC and on in another, as a client sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from emulator.bmc.quirks import NAMES
from emulator.bmc.redfish import Request

if TYPE_CHECKING:
    from conftest import Client

    from beskar7.runtime import VirtualRuntime
    from emulator.bmc.fleet import Fleet

pytestmark = pytest.mark.unit
IMAGE = "http://images/x.iso"
ONCE = {"BootSourceOverrideTarget": "Cd", "BootSourceOverrideEnabled": "Once"}
Make = Callable[..., "Client"]


def quirk(name: str, value: Any = "true") -> str:
    assert name in NAMES
    return f"quirks: {{{name}: {{value: {value}}}}}"


def action(client: Client, name: str) -> str:
    return f"{client.media}/{client.disc}/Actions/VirtualMedia.{name}"


def drive(client: Client) -> dict[str, Any]:
    return client.get(f"{client.media}/{client.disc}")


def code(answer: Any) -> tuple[int, str]:
    return answer.status, orjson.loads(answer.body)["error"]["code"].rpartition(".")[2]


def both(client: Client, quirky: Make, text: str, act: Callable[[Client], Any]) -> tuple[Any, Any]:
    """What ``act`` sees without the quirk (on generic), and with it."""
    return act(quirky("hardware: {cores: 8}")), act(quirky(text))


def test_eject_without_a_body(client: Client, quirky: Make) -> None:
    def act(one: Client) -> list[int]:
        one.insert(IMAGE)
        return [one.call("POST", action(one, "EjectMedia"), body).status for body in (None, {})]

    assert both(client, quirky, quirk("eject_needs_body"), act) == ([204, 204], [400, 204])


def test_eject_of_an_empty_drive(client: Client, quirky: Make) -> None:
    def act(one: Client) -> list[int]:
        return [one.eject(), one.insert(IMAGE), one.eject()]

    expected = ([204, 204, 204], [400, 204, 204])
    assert both(client, quirky, quirk("eject_empty_refused"), act) == expected


def test_insert_into_a_full_drive(client: Client, quirky: Make) -> None:
    def act(one: Client) -> list[int]:
        return [one.insert(IMAGE), one.insert(IMAGE)]

    assert both(client, quirky, quirk("insert_occupied_refused"), act) == ([204, 204], [204, 400])


def test_options_of_insert(client: Client, quirky: Make) -> None:
    def act(one: Client) -> list[int]:
        bodies = ({"Image": IMAGE, "Inserted": True}, {"Image": IMAGE})
        return [one.call("POST", action(one, "InsertMedia"), body).status for body in bodies]

    assert both(client, quirky, quirk("media_options_refused"), act) == ([204, 204], [400, 204])


def test_the_protocol_of_the_image(client: Client, quirky: Make) -> None:
    def act(one: Client) -> list[int]:
        bodies = ({"Image": IMAGE}, {"Image": IMAGE, "TransferProtocolType": "HTTP"})
        return [one.call("POST", action(one, "InsertMedia"), body).status for body in bodies]

    expected = ([204, 204], [400, 204])
    assert both(client, quirky, quirk("transfer_protocol_required"), act) == expected


def test_media_by_patch(quirky: Make) -> None:
    one = quirky(quirk("media_by_patch"))
    assert "Actions" not in drive(one)
    assert one.insert(IMAGE) == 404
    path = f"{one.media}/{one.disc}"
    answer = one.call("PATCH", path, {"Image": IMAGE, "Inserted": True, "WriteProtected": True})
    assert (answer.status, orjson.loads(answer.body)["Inserted"]) == (200, True)
    assert one.bmc.machine.disc == IMAGE
    assert one.call("PATCH", path, {"Image": None, "Inserted": False}).status == 200
    assert one.bmc.machine.disc == ""
    assert one.call("PATCH", path, {"Colour": "red"}).status == 400
    assert one.call("PATCH", path, {"Image": "x.iso"}).status == 400
    actions = [record.action for record in one.fleet.log().records if record.performed]
    assert actions == ["insert-media", "eject-media"]


def test_an_image_that_comes_later(quirky: Make, virtual: VirtualRuntime) -> None:
    one = quirky(quirk("media_task_seconds", 10), scale={"boot": 1.0, "latency": 0})

    def main() -> None:
        answer = one.call("POST", action(one, "InsertMedia"), {"Image": IMAGE})
        monitor = answer.headers["Location"]
        assert answer.status == 202
        assert (drive(one)["Inserted"], one.call("GET", monitor).status) == (False, 202)
        virtual.sleep(9.0)
        assert drive(one)["Inserted"] is False
        virtual.sleep(1.5)
        assert drive(one)["Image"] == IMAGE
        assert one.call("GET", monitor).status == 200
        assert one.call("POST", action(one, "InsertMedia"), {"Image": "x"}).status == 400

    virtual.run(main)


def test_what_is_shown_of_a_drive(client: Client, quirky: Make) -> None:
    def act(one: Client) -> tuple[Any, ...]:
        one.insert(IMAGE)
        full = drive(one)
        one.eject()
        empty = drive(one)
        return (full.get("Inserted"), empty.get("Inserted"), empty["Image"], empty["ConnectedVia"])

    usual = (True, False, None, "NotConnected")
    stale = (True, False, IMAGE, "NotConnected")
    assert both(client, quirky, quirk("stale_image"), act) == (usual, stale)
    assert act(quirky(quirk("inserted_missing")))[:2] == (None, None)


def test_a_boot_override_before_the_media(client: Client, quirky: Make) -> None:
    def act(one: Client) -> list[int]:
        return [one.boot(**ONCE), one.insert(IMAGE), one.boot(**ONCE)]

    expected = ([204, 204, 204], [400, 204, 204])
    assert both(client, quirky, quirk("media_before_override"), act) == expected


def test_a_boot_override_during_post(quirky: Make, virtual: VirtualRuntime) -> None:
    one = quirky(quirk("boot_refused_in_post"), scale={"boot": 1.0, "latency": 0})

    def main() -> None:
        assert one.boot(**ONCE) == 204, "the machine is off"
        one.reset("On")
        virtual.sleep(20.0)
        refused = one.call("PATCH", one.system, {"Boot": ONCE})
        assert code(refused) == (400, "UnableToModifyDuringSystemPOST")
        assert one.call("PATCH", one.system, {"AssetTag": "x"}).status == 204
        virtual.sleep(120.0)
        assert one.boot(**ONCE) == 204, "the operating system runs"

    virtual.run(main)


@pytest.mark.parametrize(("kept", "after"), [(False, "Disabled"), (True, "Once")])
def test_a_warm_reset_and_the_one_time_boot(
    quirky: Make, virtual: VirtualRuntime, kept: bool, after: str
) -> None:
    one = quirky(quirk("override_survives_warm_reset", str(kept).lower()))

    def main() -> None:
        one.reset("On")
        virtual.sleep(60.0)
        one.insert(IMAGE)
        one.boot(**ONCE)
        one.reset("ForceRestart")
        virtual.sleep(60.0)
        assert one.get(one.system)["Boot"]["BootSourceOverrideEnabled"] == after
        one.reset("PowerCycle")
        virtual.sleep(60.0)
        assert one.get(one.system)["Boot"]["BootSourceOverrideEnabled"] == "Disabled"

    virtual.run(main)


def test_a_power_state_that_lags(quirky: Make, virtual: VirtualRuntime) -> None:
    one = quirky(quirk("power_state_lag", 30), scale={"boot": 1.0, "latency": 0})

    def main() -> None:
        assert one.get(one.system)["PowerState"] == "Off"
        one.reset("On")
        virtual.sleep(10.0)
        shown = one.get(one.system)["PowerState"]
        assert (one.bmc.machine.power, shown) == ("On", "Off")
        virtual.sleep(30.0)
        assert one.get(one.system)["PowerState"] == "On"

    virtual.run(main)


def test_resets_that_do_not_go_with_the_power(client: Client, quirky: Make) -> None:
    def act(one: Client) -> list[int]:
        return [one.reset("ForceOff"), one.reset("ForceRestart"), one.reset("On")]

    expected = ([204, 204, 204], [400, 400, 204])
    assert both(client, quirky, quirk("reset_conflict"), act) == expected


def test_a_rest_after_a_write(quirky: Make, virtual: VirtualRuntime) -> None:
    one = quirky(quirk("busy_after_write", 5), scale={"boot": 1.0, "latency": 0})

    def main() -> None:
        assert one.insert(IMAGE) == 204
        assert code(one.call("PATCH", one.system, {"Boot": ONCE})) == (
            (503, "ServiceTemporarilyUnavailable")
        )
        assert one.get(one.system)
        virtual.sleep(6.0)
        assert one.boot(**ONCE) == 204

    virtual.run(main)


def test_members_in_another_order_after_a_change(client: Client, quirky: Make) -> None:
    def act(one: Client) -> int:
        orders = set()
        for tag in "abcd":
            one.call("PATCH", one.system, {"AssetTag": tag})
            members = one.get("/redfish/v1/AccountService/Roles")["Members"]
            orders.add(tuple(member["@odata.id"] for member in members))
        return len(orders)

    usual, unordered = both(client, quirky, quirk("members_unordered"), act)
    assert usual == 1
    assert unordered > 1


def test_boot_targets_are_the_vendors_and_some_do_nothing(
    quirky: Make, virtual: VirtualRuntime
) -> None:
    one = quirky("boot: {targets: [None, Hdd, Cd, UsbCd], ignored: [Cd]}")

    def main() -> None:
        allowed = one.get(one.system)["Boot"]["BootSourceOverrideTarget@Redfish.AllowableValues"]
        assert allowed == ["None", "Hdd", "Cd", "UsbCd"]
        assert one.boot(BootSourceOverrideTarget="Pxe") == 400
        one.insert(IMAGE)
        for target in ("Cd", "UsbCd"):
            one.boot(BootSourceOverrideTarget=target, BootSourceOverrideEnabled="Once")
            one.reset("PowerCycle" if target == "UsbCd" else "On")
            virtual.sleep(60.0)
        boots = [event.detail for event in one.events() if event.type == "boot-started"]
        assert boots == ["Hdd:", f"Cd:{IMAGE}"]

    virtual.run(main)


def test_what_a_vendor_has_not_is_neither_linked_nor_there(quirky: Make) -> None:
    one = quirky("resources: {absent: [Bios, SimpleStorage]}")
    assert {"Bios", "SimpleStorage"} & set(one.get(one.system)) == set()
    assert [one.call("GET", f"{one.system}/{n}").status for n in ("BIOS", "SimpleStorage")] == (
        [404, 404]
    )


@pytest.mark.parametrize(("retry_after", "header"), [(0, None), (7, "7")])
def test_more_requests_than_the_bmc_takes_are_turned_away(
    quirky: Make, retry_after: int, header: str | None
) -> None:
    one = quirky(f"limits: {{requests: 2, retry_after: {retry_after}}}")
    request = Request("GET", one.system, one.headers)
    plans = [one.fleet.admit(one.bmc, request) for _ in range(3)]
    assert [plan.outcome for plan in plans] == ["proceed", "proceed", "error"]
    assert plans[2].refusal is not None
    assert plans[2].refusal.status == 503
    assert plans[2].refusal.headers.get("Retry-After") == header
    for plan in plans:
        one.fleet.finish(one.bmc, request, plan, None)
    assert one.fleet.admit(one.bmc, request).outcome == "proceed"


def test_every_bmc_has_a_chassis_of_its_own(fleet: Fleet, client: Client) -> None:
    uuids = set()
    for name in fleet.bmcs:
        one = type(client)(fleet, name)
        path = one.get("/redfish/v1/Chassis")["Members"][0]["@odata.id"]
        uuids.add(one.get(path)["UUID"])
        assert one.get(one.system)["Links"]["Chassis"] == [{"@odata.id": path}]
    assert len(uuids) == len(fleet.bmcs)
