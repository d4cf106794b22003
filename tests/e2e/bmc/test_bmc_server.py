"""The live fleet over real sockets: real clients, one address a BMC, faults at run time."""

from __future__ import annotations

import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import sushy

if TYPE_CHECKING:
    from conftest import FleetProcess, Start

pytestmark = pytest.mark.e2e
PASSWORD = "correct horse battery"
HOSTS = ["host-001", "host-002", "host-003", "host-004"]


def wait_for_event(fleet: FleetProcess, host: str, kind: str) -> str:
    """The detail of the host's first event of that kind; the log fills as time goes."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for event in fleet.control.log().events:
            if (event.host, event.type) == (host, kind):
                return event.detail
        time.sleep(0.02)
    raise AssertionError(f"no {kind} of {host}")


def disc_drive(system: Any) -> Any:
    """The first for CDs, where the vendor has it."""
    owners = [system, *system.managers]
    media = next(owner.virtual_media for owner in owners if "VirtualMedia" in owner.json)
    return next(d for d in media.get_members() if sushy.VirtualMediaType.CD in d.media_types)


def test_sushy_provisions_several_bmcs_at_their_addresses(fleet: FleetProcess) -> None:
    def provision(host: str) -> tuple[str, str]:
        system = fleet.sushy(host).get_system()
        drive = disc_drive(system)
        drive.insert_media(f"http://images/{host}.iso")
        system.set_system_boot_options(
            sushy.BootSource.CD, enabled=sushy.BootSourceOverrideEnabled.ONCE
        )
        system.reset_system(sushy.ResetType.ON)
        return host, system.manufacturer

    with ThreadPoolExecutor(len(HOSTS)) as pool:
        makers = dict(pool.map(provision, HOSTS))
    assert [makers[host] for host in HOSTS] == ["Dell Inc.", "HPE", "Lenovo", "Supermicro"]
    for host in HOSTS:
        assert wait_for_event(fleet, host, "boot-finished") == f"Cd:http://images/{host}.iso"
    state = fleet.control.state()["host-001"]
    assert (state["power"], state["boot_progress"]) == ("On", "OSRunning")
    assert state["boot_override"] == {"target": "None", "enabled": "Disabled"}
    page = fleet.control.log()
    assert page.dropped_records == page.dropped_events == 0
    reset = next(r for r in page.records if r.action == "reset:On" and r.host == "host-001")
    finished = next(e for e in page.events if e.type == "boot-finished")
    assert reset.start <= reset.end < finished.time <= page.now
    assert page.now <= time.monotonic(), "the fleet's clock is comparable with ours"


def test_a_wrong_password_is_refused(fleet: FleetProcess) -> None:
    with pytest.raises(sushy.exceptions.AccessError):
        fleet.sushy(password="wrong").get_system()
    answer = requests.get(fleet.url() + "/redfish/v1/Systems", timeout=2)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"]
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert fleet.control.log().records[-1].status == 401


def test_headers_of_the_client_are_in_the_log(fleet: FleetProcess) -> None:
    headers = {"User-Agent": "beskar7-manager/mgr-1", "X-Beskar7-Operation": "op-17"}
    requests.get(fleet.url() + "/redfish/v1/?query=1", headers=headers, timeout=2)
    record = fleet.control.log().records[-1]
    assert (record.agent, record.operation) == ("beskar7-manager/mgr-1", "op-17")
    assert (record.method, record.path, record.status) == ("GET", "/redfish/v1/", 200)


def test_an_error_fault_is_seen(fleet: FleetProcess) -> None:
    fleet.control.add_fault({"kind": "error", "status": 429, "retry_after": 3})
    answer = fleet.get()
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")


def test_a_reset_fault_is_seen_and_hits_only_whom_it_selects(fleet: FleetProcess) -> None:
    fault = fleet.control.add_fault({"kind": "reset", "select": {"vendors": ["hpe"]}})
    with pytest.raises(requests.exceptions.ConnectionError, match="reset by peer"):
        fleet.get(host="host-002")
    assert fleet.get(host="host-001").status_code == 200
    records = fleet.control.log().records[-2:]
    assert [(r.host, r.status, r.fault) for r in records] == [
        ("host-002", 0, fault),
        ("host-001", 200, ""),
    ]


def test_a_latency_fault_slows_one_bmc_and_no_other(fleet: FleetProcess) -> None:
    fleet.control.add_fault(
        {"kind": "latency", "select": {"hosts": ["host-003"]}, "latency": {"mean": 1.0}}
    )

    def seconds(host: str) -> float:
        begin = time.monotonic()
        assert fleet.get(host=host).status_code == 200
        return time.monotonic() - begin

    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(seconds, "host-003")
        others = [seconds("host-001") for _ in range(5)]
    assert 1.0 <= slow.result() < 1.9
    assert max(others) < 0.8


def test_a_hang_fault_holds_the_client_until_it_gives_up(fleet: FleetProcess) -> None:
    fleet.control.add_fault({"kind": "hang"})
    before = fleet.control.log().records[-1].seq
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.get(fleet.url() + "/redfish/v1/", timeout=0.5)
    deadline = time.monotonic() + 10
    while not (records := fleet.control.log(before).records) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert records[0].status == 0
    assert 0.4 < records[0].end - records[0].start < 5.0


@pytest.mark.parametrize("cleared", [True, False])
def test_a_hang_ends_with_its_fault(fleet: FleetProcess, cleared: bool) -> None:
    fault = fleet.control.add_fault({"kind": "hang", "duration": None if cleared else 0.3})
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(requests.get, fleet.url() + "/redfish/v1/", timeout=15)
        while not fleet.control.metrics()["in_flight"] and not hanging.done():
            time.sleep(0.01)
        if cleared:
            fleet.control.clear_fault(fault)
        with pytest.raises(requests.exceptions.ConnectionError):
            hanging.result(10)


def test_an_action_without_answer_was_done_where_the_fault_says_so(fleet: FleetProcess) -> None:
    fleet.control.add_fault(
        {"kind": "reset", "perform": True, "match": {"methods": ["POST"], "path": "*/Actions/*"}}
    )
    image = "http://images/lost-answer.iso"
    drive = disc_drive(fleet.sushy("host-004").get_system())
    path = f"{drive.path}/Actions/VirtualMedia.InsertMedia"
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.post(
            fleet.url("host-004") + path,
            json={"Image": image},
            auth=("admin", PASSWORD),
            timeout=2,
        )
    assert fleet.control.state()["host-004"]["media"] == {drive.identity: image}
    assert fleet.control.log().records[-1].performed


def test_what_a_client_gave_up_on_is_done_all_the_same(fleet: FleetProcess) -> None:
    fleet.control.add_fault(
        {"kind": "latency", "latency": {"mean": 0.6}, "match": {"methods": ["PATCH"]}}
    )
    url = fleet.url("host-004") + fleet.system_path("host-004")
    body = {"Boot": {"BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Continuous"}}
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.patch(url, json=body, auth=("admin", PASSWORD), timeout=0.1)
    assert fleet.control.state()["host-004"]["boot_override"]["target"] != "Pxe"
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        records = fleet.control.log().records
        if records and records[-1].action == "set-boot":
            break
        time.sleep(0.02)
    assert fleet.control.log().records[-1].performed
    assert fleet.control.state()["host-004"]["boot_override"]["target"] == "Pxe"


def answer_at(address: str, port: int) -> bytes:
    """What comes back for a plain request; nothing where one is refused or dropped."""
    try:
        with socket.create_connection((address, port), timeout=2) as sock:
            sock.sendall(b"GET /redfish HTTP/1.0\r\n\r\n")
            return sock.recv(100)
    except ConnectionError:
        return b""


def test_an_address_without_bmc_is_dropped(fleet: FleetProcess) -> None:
    assert answer_at("127.20.9.9", fleet.ready["port"]) == b""
    assert answer_at("127.20.0.1", fleet.ready["port"]).startswith(b"HTTP/1.")


def test_nobody_outside_this_machine_is_answered(fleet: FleetProcess) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("203.0.113.1", 9))  # Sends nothing; asks which address would be used.
        except OSError:
            pytest.skip("no other address than the loopback's")
        own = probe.getsockname()[0]
    assert answer_at(own, fleet.ready["port"]) == b""


def test_a_body_has_a_bound(fleet: FleetProcess) -> None:
    url = fleet.url() + fleet.system_path()
    try:
        answer = requests.patch(url, data=b"x" * 3_000_000, auth=("admin", PASSWORD), timeout=5)
    except requests.exceptions.ConnectionError:
        return  # Closed before everything was sent.
    assert answer.status_code == 413


def test_tls_with_the_fleets_own_authority(start: Start) -> None:
    fleet = start(tls=True)
    assert fleet.url().startswith("https://")
    for host in ("host-001", "host-004"):
        assert fleet.sushy(host).get_system().name == host
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(fleet.url() + "/redfish/v1/", timeout=2)
    fleet.control.add_fault({"kind": "reset"})
    with pytest.raises(requests.exceptions.ConnectionError):
        fleet.get()
    fleet.control.clear_faults()
    # An idle connection holds up nobody else.
    with socket.create_connection(("127.20.0.1", fleet.ready["port"])):
        assert fleet.get(host="host-001").status_code == 200


def test_the_key_is_the_owners_alone(start: Start) -> None:
    fleet = start(tls=True)
    directory = Path(fleet.ready["ca"]).parent
    assert (directory / "tls.key").stat().st_mode & 0o077 == 0
    context = ssl.create_default_context(cafile=fleet.ready["ca"])
    port = fleet.ready["port"]
    with (
        socket.create_connection(("127.20.0.2", port)) as sock,
        context.wrap_socket(sock, server_hostname="127.20.0.2") as secured,
    ):
        names: Any = secured.getpeercert()
    assert ("IP Address", "127.20.0.2") in names["subjectAltName"]
