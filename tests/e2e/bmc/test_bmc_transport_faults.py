"""Faults of the transport over real sockets, as curl sees them."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import sushy

from emulator.bmc.client import FleetControlError

if TYPE_CHECKING:
    from conftest import FleetProcess, Start

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl"),
]
# The exit codes of curl's manual. On one socket for all addresses the kernel makes the connection
# and the server resets it: whether curl calls that no connection or a lost one is a race.
TURNED_AWAY = (7, 56)
PARTIAL, TIMED_OUT, TLS_FAILED, EMPTY, RECEIVE_FAILED, UNTRUSTED = 18, 28, 35, 52, 56, 60


def curl(
    fleet: FleetProcess, *options: str, host: str = "host-001", path: str = "/redfish/v1/"
) -> tuple[int, bytes, float]:
    """curl's exit code, what it got of the body, and how many seconds it took."""
    began = time.monotonic()
    done = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--max-time", "20", *options, fleet.url(host) + path],
        capture_output=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout, time.monotonic() - began


@pytest.mark.parametrize(
    ("fault", "codes"),
    [
        ({"kind": "refused"}, TURNED_AWAY),
        ({"kind": "reset-at-accept"}, TURNED_AWAY),
        ({"kind": "reset"}, (RECEIVE_FAILED,)),
        ({"kind": "reset", "perform": True}, (RECEIVE_FAILED,)),
    ],
)
def test_a_connection_that_is_reset(fleet: FleetProcess, fault: dict[str, Any], codes: Any) -> None:
    fleet.control.add_fault({"id": "f", "select": {"hosts": ["host-001"]}, **fault})
    code, body, _ = curl(fleet)
    assert code in codes
    assert body == b""
    assert fleet.control.log().records[-1].fault == "f"
    assert curl(fleet, host="host-002")[0] == 0
    fleet.control.clear_fault("f")
    assert curl(fleet)[0] == 0


def test_a_body_that_ends_too_soon(fleet: FleetProcess) -> None:
    whole = curl(fleet)[1]
    fleet.control.add_fault({"id": "f", "kind": "truncation", "share": 0.25})
    code, body, _ = curl(fleet)
    assert (code, body) == (PARTIAL, whole[: len(whole) // 4])
    headers = curl(fleet, "-D", "-", "-o", "/dev/null")[1].decode().lower()
    assert f"content-length: {len(whole)}" in headers
    record = fleet.control.log().records[-1]
    assert (record.status, record.fault) == (200, "f")


def test_a_body_that_hangs(fleet: FleetProcess) -> None:
    whole = curl(fleet)[1]
    fleet.control.add_fault({"kind": "hang-in-body", "share": 0.5})
    code, body, took = curl(fleet, "--max-time", "1")
    assert (code, body) == (TIMED_OUT, whole[: len(whole) // 2])
    assert 0.9 < took < 5.0


def test_a_hang_in_the_body_is_let_go_with_its_fault(fleet: FleetProcess) -> None:
    fleet.control.add_fault({"kind": "hang-in-body", "duration": 1})
    code, _, took = curl(fleet)
    assert code == PARTIAL
    assert 0.5 < took < 6.0


def test_a_drip(fleet: FleetProcess) -> None:
    whole = curl(fleet)[1]
    rate = len(whole) / 2
    fleet.control.add_fault({"kind": "drip", "rate": rate})
    code, body, took = curl(fleet)
    assert (code, body) == (0, whole)
    assert 1.8 < took < 6.0
    fleet.control.clear_faults()
    fleet.control.add_fault({"kind": "drip", "rate": 20})
    # The client hears something twenty times a second, so no read timeout ends it.
    assert curl(fleet, "--speed-limit", "1", "--speed-time", "2", "--max-time", "4")[0] == TIMED_OUT
    fleet.control.clear_faults()
    fleet.control.add_fault({"kind": "drip", "rate": 0.2})
    with pytest.raises(requests.exceptions.ConnectionError, match="Read timed out"):
        fleet.get()


def test_bandwidth(fleet: FleetProcess) -> None:
    whole = curl(fleet)[1]
    fleet.control.add_fault({"kind": "bandwidth", "rate": len(whole)})
    code, body, took = curl(fleet)
    assert (code, body) == (0, whole)
    assert 0.9 < took < 5.0


def test_a_switch_that_is_down(fleet: FleetProcess) -> None:
    fleet.control.add_fault(
        {"id": "f", "kind": "unreachable", "duration": 2, "select": {"vendors": ["dell", "hpe"]}}
    )
    for host in ("host-001", "host-002"):
        code, body, took = curl(fleet, "--max-time", "0.5", host=host)
        assert (code, body) == (TIMED_OUT, b"")
        assert took > 0.4
    assert curl(fleet, host="host-003")[0] == 0
    assert curl(fleet)[0] == EMPTY, "who waits learns of the end by the connection's end"
    assert curl(fleet)[0] == 0


def test_a_bmc_that_reboots_takes_no_connection(fleet: FleetProcess) -> None:
    fleet.control.add_fault({"id": "f", "kind": "bmc-reboot", "unreachable": 1})
    assert curl(fleet)[0] in TURNED_AWAY
    deadline = time.monotonic() + 20
    while curl(fleet)[0] and time.monotonic() < deadline:
        pass
    assert curl(fleet)[0] == 0
    assert ("bmc-reset", "f") in [(e.type, e.fault) for e in fleet.control.log().events]


def test_only_a_fleet_with_tls_has_faults_of_tls(fleet: FleetProcess) -> None:
    for kind in ("tls-failure", "certificate-expired"):
        with pytest.raises(FleetControlError, match=f"kind: {kind} is about TLS"):
            fleet.control.add_fault({"kind": kind})


@pytest.fixture(scope="module")
def secure(start: Start) -> FleetProcess:
    return start(tls=True)


def test_tls_that_fails(secure: FleetProcess) -> None:
    trust = ("--cacert", str(secure.verify))
    assert curl(secure, *trust)[0] == 0
    secure.control.add_fault({"id": "f", "kind": "tls-failure"})
    assert curl(secure, *trust)[0] == TLS_FAILED
    with pytest.raises(requests.exceptions.SSLError, match="HANDSHAKE_FAILURE"):
        secure.get()
    assert secure.control.log().records[-1].fault == "f"
    secure.control.clear_faults()
    assert curl(secure, *trust)[0] == 0


def test_a_certificate_that_has_expired(secure: FleetProcess) -> None:
    trust = ("--cacert", str(secure.verify))
    secure.control.add_fault({"id": "f", "kind": "certificate-expired"})
    assert curl(secure, *trust)[0] == UNTRUSTED
    with pytest.raises(requests.exceptions.SSLError, match="certificate has expired"):
        secure.get()
    assert curl(secure, "--insecure")[0] == 0
    secure.control.clear_faults()
    assert secure.get().status_code == 200
    assert secure.sushy().get_system().identity
    directory = Path(str(secure.verify)).parent
    assert (directory / "expired.crt").exists()


def test_rotated_credentials_are_told_by_the_control_endpoint_alone(fleet: FleetProcess) -> None:
    fleet.control.add_fault(
        {"id": "f", "kind": "credentials-rotated", "select": {"hosts": ["host-004"]}}
    )
    with pytest.raises(sushy.exceptions.AccessError):
        fleet.sushy("host-004").get_system()
    logins = fleet.control.rotated_credentials("f")
    assert [*logins] == ["host-004"]
    password = logins["host-004"][1]
    assert fleet.sushy("host-004", password=password).get_system().identity
    assert password not in str(fleet.control.faults())
    assert fleet.sushy("host-001").get_system().identity
    fleet.control.clear_fault("f")
    assert fleet.sushy("host-004").get_system().identity
    with pytest.raises(FleetControlError, match="no fault 'f' has rotated"):
        fleet.control.rotated_credentials("f")


def test_sushy_reads_what_the_fault_says(fleet: FleetProcess) -> None:
    system = fleet.sushy().get_system()
    for fault, error in (
        ({"kind": "error", "status": 404}, sushy.exceptions.ResourceNotFoundError),
        ({"kind": "error", "status": 500}, sushy.exceptions.ServerSideError),
        ({"kind": "malformed-json"}, ValueError),
        ({"kind": "html"}, ValueError),
        ({"kind": "list"}, (TypeError, AttributeError, sushy.exceptions.SushyError)),
        ({"kind": "truncation"}, sushy.exceptions.ConnectionError),
    ):
        fleet.control.add_fault({"id": "f", **fault})
        with pytest.raises(error):
            system.refresh(force=True)
        fleet.control.clear_fault("f")
    fleet.control.add_fault({"id": "f", "kind": "null-power"})
    system.refresh(force=True)
    assert system.power_state is None
    fleet.control.clear_fault("f")
    fleet.control.add_fault({"id": "f", "kind": "lost-action"})
    system.reset_system(sushy.ResetType.ON)
    assert fleet.control.log().records[-1].performed is False
    assert fleet.control.state()["host-001"]["pending"] == ""
