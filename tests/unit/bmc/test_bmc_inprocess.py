"""The real sushy against the fleet in virtual time, without a socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
import sushy
from sushy import connector

from beskar7.runtime import Runtime, RuntimeClosed, VirtualRuntime
from emulator.bmc.fleet import Fleet
from emulator.bmc.inprocess import FleetAdapter
from emulator.bmc.log import BmcRecord
from emulator.faultspec import Fault

pytestmark = pytest.mark.unit
READ_TIMEOUT = 5


def connect(
    fleet: Fleet, runtime: Runtime, address: str = "127.10.0.1", password: str = "correct horse"
) -> sushy.Sushy:
    """A sushy client whose session goes through the adapter; one attempt a request."""
    conn = connector.Connector(
        f"http://{address}",
        server_side_retries=1,
        server_side_retries_delay=0,
        default_request_timeout=READ_TIMEOUT,
    )
    conn._session.mount("http://", FleetAdapter(fleet, runtime))
    auth = sushy.auth.BasicAuth("admin", password)
    return sushy.Sushy(f"http://{address}", auth=auth, connector=conn)


def wait_for_os(system: Any, runtime: Runtime) -> None:
    while system.boot_progress.last_state != sushy.BootProgressStates.OS_RUNNING:
        runtime.sleep(5.0)
        system.refresh(force=True)


def _drives(system: Any) -> list[Any]:
    """Where the vendor has them."""
    try:
        found: list[Any] = system.virtual_media.get_members()
    except sushy.exceptions.MissingAttributeError:
        found = system.managers[0].virtual_media.get_members()
    return found


def provision(fleet: Fleet, runtime: VirtualRuntime) -> Any:
    """Enrol, insert, boot once, power on, verify; then a second boot from the disk."""
    system = connect(fleet, runtime).get_system()
    inventory = (system.manufacturer, system.model, system.serial_number, system.uuid)
    devices = _drives(system)
    drive = next(d for d in devices if sushy.VirtualMediaType.CD in d.media_types)
    drive.insert_media("http://images/kairos.iso", write_protected=False)
    system.set_system_boot_options(
        sushy.BootSource.CD, enabled=sushy.BootSourceOverrideEnabled.ONCE
    )
    system.refresh(force=True)
    assert system.boot.enabled == sushy.BootSourceOverrideEnabled.ONCE
    assert system.boot.target == sushy.BootSource.CD
    system.reset_system(sushy.ResetType.ON)
    system.refresh(force=True)
    wait_for_os(system, runtime)
    assert system.boot.enabled == sushy.BootSourceOverrideEnabled.DISABLED
    system.reset_system(sushy.ResetType.FORCE_RESTART)
    # The restart takes a few seconds to begin; until then the machine still runs.
    runtime.sleep(10.0)
    system.refresh(force=True)
    wait_for_os(system, runtime)
    return inventory, fleet.log()


@pytest.fixture
def real_time(fleet_of: Callable[..., Fleet]) -> Fleet:
    """Boots of minutes and answers of tenths of a second, as of real machines."""
    return fleet_of(scale={"boot": 1.0, "latency": 1.0})


def test_a_provisioning_as_the_bmc_saw_it(real_time: Fleet, virtual: VirtualRuntime) -> None:
    (manufacturer, model, _, uuid), page = virtual.run(provision, real_time, virtual)
    assert (manufacturer, uuid) == ("Dell Inc.", real_time.bmcs["host-001"].uuid)
    assert model.startswith("PowerEdge")
    drive = real_time.bmcs["host-001"].personality.media[0].id
    assert [(event.type, event.detail) for event in page.events] == [
        ("media-inserted", f"{drive}:http://images/kairos.iso"),
        ("power-on", ""),
        ("boot-started", "Cd:http://images/kairos.iso"),
        ("boot-finished", "Cd:http://images/kairos.iso"),
        ("boot-started", "Hdd:"),
        ("boot-finished", "Hdd:"),
    ]
    writes = [record.action for record in page.records if record.performed]
    assert writes == ["insert-media", "set-boot", "reset:On", "reset:ForceRestart"]
    assert all(record.end > record.start for record in page.records)
    assert 200 < page.now < 900, "two boots of a real machine, in seconds"


def test_a_seed_is_a_run(fleet_of: Callable[..., Fleet]) -> None:
    def once(seed: int) -> tuple[str, float]:
        runtime = VirtualRuntime(seed)
        fleet = Fleet(fleet_of(scale={"boot": 1.0, "latency": 1.0}).spec, runtime, _credentials())
        _, page = runtime.run(provision, fleet, runtime)
        return runtime.trace_hash, page.now

    assert once(7) == once(7)
    assert once(7) != once(8)


def _credentials() -> Any:
    from emulator.bmc.spec import Credentials

    return Credentials("admin", "correct horse")


def test_a_wrong_password_is_an_access_error(fleet: Fleet, virtual: VirtualRuntime) -> None:
    def main() -> None:
        with pytest.raises(sushy.exceptions.AccessError):
            connect(fleet, virtual, password="wrong").get_system()

    virtual.run(main)


def test_an_address_without_bmc_refuses_the_connection(
    fleet: Fleet, virtual: VirtualRuntime
) -> None:
    def main() -> None:
        with pytest.raises(sushy.exceptions.ConnectionError, match="refused"):
            connect(fleet, virtual, address="127.99.0.1")

    virtual.run(main)


def put(fleet: Fleet, **fault: Any) -> None:
    fleet.faults.add(Fault.from_dict({"id": "f", **fault}))


def get_root(fleet: Fleet, runtime: Runtime) -> requests.Response:
    session = requests.Session()
    session.mount("http://", FleetAdapter(fleet, runtime))
    return session.get("http://127.10.0.1/redfish/v1/", timeout=(1, READ_TIMEOUT))


def test_faults_reach_the_client(fleet: Fleet, virtual: VirtualRuntime) -> None:
    def main() -> None:
        put(fleet, kind="error", status=503, retry_after=2)
        answer = get_root(fleet, virtual)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert answer.json()["error"]["message"] == "Injected fault f"
        fleet.faults.clear()

        put(fleet, kind="reset")
        with pytest.raises(requests.exceptions.ConnectionError, match="reset"):
            get_root(fleet, virtual)
        fleet.faults.clear()

        put(fleet, kind="latency", latency={"mean": 3.0})
        before = virtual.now()
        assert get_root(fleet, virtual).status_code == 200
        assert virtual.now() - before == pytest.approx(3.0)
        fleet.faults.clear()

        put(fleet, kind="hang")
        before = virtual.now()
        with pytest.raises(requests.exceptions.ReadTimeout):
            get_root(fleet, virtual)
        assert virtual.now() - before == READ_TIMEOUT
        virtual.sleep(0.0)  # The BMC notices that its client is gone.
        records.extend(fleet.log().records)

    records: list[BmcRecord] = []
    virtual.run(main)
    assert [(record.status, record.fault) for record in records] == [
        (503, "f"),
        (0, "f"),
        (200, "f"),
        (0, "f"),
    ]
    assert records[-1].end - records[-1].start == READ_TIMEOUT


def test_a_hanging_request_ends_with_its_fault(fleet: Fleet, virtual: VirtualRuntime) -> None:
    def main(clear: bool) -> float:
        before = virtual.now()
        if clear:
            put(fleet, kind="hang")
            virtual.timer(2.0, fleet.faults.clear, name="clear")
        else:
            put(fleet, kind="hang", duration=2.0)
        with pytest.raises(requests.exceptions.ConnectionError, match="reset by peer"):
            get_root(fleet, virtual)
        fleet.faults.clear()
        return virtual.now() - before

    assert virtual.run(lambda: (main(False), main(True))) == (2.0, 2.0)


def reset(fleet: Fleet, runtime: Runtime) -> requests.Response:
    session = requests.Session()
    session.mount("http://", FleetAdapter(fleet, runtime))
    bmc = fleet.bmcs["host-001"]
    url = f"http://127.10.0.1/redfish/v1/Systems/{bmc.system_id}/Actions/ComputerSystem.Reset"
    return session.post(
        url, json={"ResetType": "On"}, auth=("admin", "correct horse"), timeout=READ_TIMEOUT
    )


def test_what_the_client_gave_up_on_takes_effect_late(
    fleet: Fleet, virtual: VirtualRuntime
) -> None:
    def main() -> None:
        put(fleet, kind="latency", latency={"mean": 40.0}, match={"methods": ["POST"]})
        with pytest.raises(requests.exceptions.ReadTimeout):
            reset(fleet, virtual)
        assert virtual.now() == READ_TIMEOUT
        assert fleet.log().records == []
        virtual.sleep(100.0)

    virtual.run(main)
    page = fleet.log()
    assert [(r.action, r.performed, r.end) for r in page.records] == [("reset:On", True, 40.0)]
    assert page.events[0].type == "power-on"
    assert page.events[0].time > 20.0


@pytest.mark.parametrize(("perform", "power"), [(True, "On"), (False, "Off")])
@pytest.mark.parametrize("kind", ["reset", "hang", "error"])
def test_a_lost_answer_may_be_that_of_a_done_deed(
    fleet: Fleet, virtual: VirtualRuntime, kind: str, perform: bool, power: str
) -> None:
    def main() -> None:
        put(fleet, kind=kind, perform=perform)
        try:
            assert reset(fleet, virtual).status_code == 503
        except requests.exceptions.RequestException:
            assert kind in ("reset", "hang")
        virtual.sleep(10.0)

    virtual.run(main)
    assert fleet.log().records[0].performed is perform
    assert fleet.state()["host-001"]["power"] == power


def test_a_killed_client_leaves_its_request_with_the_bmc(
    fleet: Fleet, virtual: VirtualRuntime
) -> None:
    manager = virtual.group("manager")
    ends: list[str] = []

    def work() -> None:
        try:
            reset(fleet, manager)
        except RuntimeClosed:
            ends.append("killed")
            raise

    def main() -> None:
        put(fleet, kind="latency", latency={"mean": 4.0})
        manager.spawn(work, name="work")
        virtual.sleep(1.0)
        manager.kill()
        virtual.sleep(60.0)

    virtual.run(main)
    assert ends == ["killed"]
    assert fleet.state()["host-001"]["power"] == "On"
    assert fleet.in_flight == 0


def test_a_killed_client_asks_nothing_while_it_unwinds(
    fleet: Fleet, virtual: VirtualRuntime
) -> None:
    manager = virtual.group("manager")

    def work() -> None:
        try:
            manager.sleep(100.0)
        finally:
            reset(fleet, manager)

    def main() -> None:
        manager.spawn(work, name="work")
        virtual.sleep(1.0)
        manager.kill()
        virtual.sleep(60.0)

    virtual.run(main)
    assert fleet.log().records == []


def test_overlapping_writes_to_one_bmc_show_in_the_log(
    fleet: Fleet, virtual: VirtualRuntime
) -> None:
    def main() -> None:
        put(fleet, kind="latency", latency={"mean": 2.0})
        tasks = [virtual.spawn(reset, fleet, virtual, name=f"client-{i}") for i in range(2)]
        for task in tasks:
            task.join()

    virtual.run(main)
    first, second = fleet.log().records
    assert first.start <= second.start < first.end
