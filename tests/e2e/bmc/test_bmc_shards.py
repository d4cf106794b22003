"""A fleet over several processes looks like one: one endpoint, each BMC in exactly one shard."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests

from emulator.bmc.client import FleetControlError
from emulator.bmc.listen import listen_in_shards, shard_of

if TYPE_CHECKING:
    from conftest import FleetProcess, Start

pytestmark = pytest.mark.e2e
HOSTS = ["host-001", "host-002", "host-003", "host-004"]
ENDS_WITHIN = 15.0


@pytest.fixture(scope="module")
def sharded(start: Start) -> FleetProcess:
    return start(flags=("--shards", "2"))


@pytest.fixture(autouse=True)
def _no_faults(sharded: FleetProcess) -> None:
    sharded.control.clear_faults()


def test_every_bmc_lives_in_one_shard_and_keeps_its_state_there(sharded: FleetProcess) -> None:
    shards = sharded.control.metrics()["shards"]
    assert [shard["hosts"] for shard in shards] == [2, 2]
    assert [shard["pid"] for shard in shards] == sharded.ready["pids"]
    assert len({*sharded.ready["pids"], sharded.process.pid}) == 3
    assert list(sharded.control.state()) != []
    for host in HOSTS:
        path = sharded.system_path(host)
        for tag in ("a", f"of {host}"):
            answer = requests.patch(
                sharded.url(host) + path,
                json={"AssetTag": tag},
                auth=("admin", "correct horse battery"),
                timeout=5,
            )
            assert answer.ok
        # Each on a connection of its own: the kernel has to find the same shard each time.
        tags = {sharded.get(path, host).json()["AssetTag"] for _ in range(5)}
        assert tags == {f"of {host}"}
    assert sorted(sharded.control.state()) == HOSTS


def test_the_log_is_one_in_the_order_of_time(sharded: FleetProcess) -> None:
    last = max((r.seq for r in sharded.control.log().records), default=0)
    for host in HOSTS * 3:
        sharded.get(host=host)
    page = sharded.control.log(after_records=last)
    assert [record.host for record in page.records] == HOSTS * 3
    assert [record.seq for record in page.records] == list(range(last + 1, last + 13))
    ends = [record.end for record in page.records]
    assert ends == sorted(ends)
    assert ends[-1] <= page.now <= time.monotonic()
    assert (page.dropped_records, page.missed_records, page.more) == (0, 0, False)
    assert sharded.control.log(after_records=last + 12).records == []


def test_a_fault_is_set_in_all_shards_and_its_hits_are_added_up(sharded: FleetProcess) -> None:
    fault = sharded.control.add_fault({"kind": "error", "status": 429})
    for host in HOSTS:
        assert sharded.get(host=host).status_code == 429
    (shown,) = sharded.control.faults()
    assert (shown["id"], shown["hits"], sorted(shown["hosts"])) == (fault, 4, HOSTS)
    sharded.control.clear_fault(fault)
    assert sharded.control.faults() == []
    assert {sharded.get(host=host).status_code for host in HOSTS} == {200}
    with pytest.raises(FleetControlError, match="no fault"):
        sharded.control.clear_fault(fault)


def test_a_share_of_the_fleet_is_the_same_hosts_however_it_is_sharded(
    sharded: FleetProcess, start: Start
) -> None:
    fault = {"id": "half", "kind": "error", "select": {"fraction": 0.5}}
    whole = start()
    chosen = []
    for fleet in (sharded, whole):
        fleet.control.add_fault(fault)
        hit = [host for host in HOSTS if fleet.get(host=host).status_code == 503]
        assert hit == sorted(fleet.control.faults()[0]["hosts"])
        chosen.append(hit)
    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == 2


def test_rotated_credentials_are_told_of_all_shards(sharded: FleetProcess) -> None:
    def rotate(*hosts: str) -> dict[str, tuple[str, str]]:
        fault = {"id": "new", "kind": "credentials-rotated", "select": {"hosts": [*hosts]}}
        sharded.control.add_fault(fault)
        return sharded.control.rotated_credentials("new")

    given = rotate(*HOSTS)
    assert sorted(given) == HOSTS
    for host in HOSTS:
        url = sharded.url(host) + sharded.system_path(host)
        assert requests.get(url, auth=given[host], timeout=5).status_code == 200
        assert sharded.get(sharded.system_path(host), host).status_code == 401
    sharded.control.clear_faults()
    assert sorted(rotate(HOSTS[0])) == HOSTS[:1], "one shard has none"
    sharded.control.clear_faults()
    with pytest.raises(FleetControlError, match="has rotated credentials"):
        sharded.control.rotated_credentials("new")


def test_a_share_of_one_firmware_is_one_of_all_shards(sharded: FleetProcess) -> None:
    select = {"firmware": ["*"], "fraction": 0.25}
    sharded.control.add_fault({"id": "bug", "kind": "error", "select": select})
    hit = [host for host in HOSTS if sharded.get(host=host).status_code == 503]
    assert len(hit) == 1
    with pytest.raises(FleetControlError, match="selects none"):
        sharded.control.add_fault({"kind": "error", "select": {"firmware": ["none-such"]}})


def test_an_updated_host_counts_with_its_new_firmware_in_all_shards(start: Start) -> None:
    # A fleet of its own: the BMC restarts, and the next test would find it away.
    sharded = start(flags=("--shards", "2"))
    answer = requests.post(
        sharded.url("host-002") + "/redfish/v1/UpdateService/Actions/UpdateService.SimpleUpdate",
        json={
            "ImageURI": "http://127.0.0.1/bmc-77.7.bin",
            "Targets": ["/redfish/v1/UpdateService/FirmwareInventory/BMC"],
        },
        auth=("admin", "correct horse battery"),
        timeout=5,
    )
    assert answer.status_code == 202
    read = 0
    while True:
        page = sharded.control.log(0, read)
        if any((e.host, e.type) == ("host-002", "firmware-updated") for e in page.events):
            break
        read = page.events[-1].seq if page.events else read
    select = {"firmware": ["77.7"]}
    assert sharded.control.state()["host-002"]["firmware"] == "77.7"
    # The shard that has not this host has to know of it too, or refuses the selector.
    sharded.control.add_fault({"id": "new", "kind": "hang", "select": select, "duration": 600})
    assert [f["id"] for f in sharded.control.faults()] == ["new"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"kind": "boom"}, "kind: must be one of"),
        ({"kind": "hang", "count": 3}, r"faults\[0\].count: a fleet in shards cannot count"),
        (
            {"kind": "firmware-bug", "symptoms": [{"kind": "html", "count": 3}]},
            r"faults\[0\].count: a fleet in shards cannot count",
        ),
    ],
)
def test_what_a_shard_refuses_is_set_in_none(
    sharded: FleetProcess, fault: dict[str, object], message: str
) -> None:
    with pytest.raises(FleetControlError, match=message):
        sharded.control.add_fault(fault)
    assert sharded.control.faults() == []


def test_counts_are_added_up(sharded: FleetProcess) -> None:
    before = sharded.control.metrics()
    for host in HOSTS:
        sharded.get(host=host)
    after = sharded.control.metrics()
    assert after["requests"] - before["requests"] == 4
    assert sum(after["power"].values()) == after["hosts"] == 4
    token = {"Authorization": "Bearer token-of-the-control-endpoint"}
    text = requests.get(f"{sharded.ready['control']}/metrics", headers=token, timeout=5).text
    assert f'bmc_fleet_bmcs{{power="Off"}} {after["power"]["Off"]}' in text
    assert 'bmc_fleet_saturated{shard="1"}' in text


def ended(fleet: FleetProcess) -> tuple[int, str]:
    code = fleet.process.wait(ENDS_WITHIN)
    return code, fleet.stderr.read_text()


def test_a_shard_that_dies_is_named_and_ends_the_fleet(start: Start) -> None:
    fleet = start(flags=("--shards", "2"))
    first, second = fleet.ready["pids"]
    os.kill(second, signal.SIGKILL)
    code, said = ended(fleet)
    assert code == 1
    assert f"shard 1 of 2 (process {second}, 2 BMCs) was ended by SIGKILL" in said
    assert "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "stdin"])
def test_it_ends_in_order_with_all_its_shards(start: Start, how: str) -> None:
    fleet = start(flags=("--shards", "3"))
    fleet.control.add_fault({"kind": "hang"})
    url = urlsplit(fleet.url())
    with socket.create_connection((url.hostname or "", url.port or 0)) as hanging:
        hanging.sendall(b"GET /redfish HTTP/1.1\r\nHost: bmc\r\n\r\n")
        while not fleet.control.metrics()["in_flight"]:
            hanging.settimeout(1)
        if how == "stdin":
            assert fleet.process.stdin
            fleet.process.stdin.close()
        else:
            fleet.process.send_signal(getattr(signal, how))
        assert ended(fleet) == (0, "")
    for pid in fleet.ready["pids"]:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_shards_end_with_a_parent_that_was_killed(start: Start) -> None:
    fleet = start(flags=("--shards", "2"))
    # A pipe that both shards hold is at its end once both are gone.
    fleet.process.kill()
    assert fleet.process.stdout
    assert fleet.process.stdout.read() == ""


def test_a_port_that_another_fleet_has_is_refused(
    start: Start, command: Callable[..., list[str]]
) -> None:
    port = start(flags=("--shards", "2")).ready["port"]
    for flags in ([], ["--shards", "2"]):
        done = subprocess.run(
            [*command(port=port), *flags], capture_output=True, text=True, timeout=30, check=False
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert f"port {port} is in use" in done.stderr


@pytest.mark.parametrize(
    ("flags", "spec", "message"),
    [
        (["--shards", "0"], {}, "must be 1 to 64, not '0'"),
        (["--shards", "2"], {"faults": [{"kind": "hang", "count": 1}]}, "has a count"),
        (["--shards", "2"], {"faults": [{"kind": "hang", "select": {"hosts": ["x"]}}]}, "none"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(
    command: Callable[..., list[str]], flags: list[str], spec: dict[str, object], message: str
) -> None:
    done = subprocess.run(
        [*command(**spec), *flags], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel chooses by address on Linux only")
def test_the_kernel_gives_each_shard_the_connections_of_its_own_bmcs() -> None:
    addresses = [f"127.40.{i}.{i % 7 + 1}" for i in range(60)]
    listenings = listen_in_shards(addresses, 0, 3)
    assert [len(part.sockets) for part in listenings] == [1, 1, 1]
    try:
        for address in addresses:
            with socket.create_connection((address, listenings[0].port)):
                mine = listenings[shard_of(address, 3)].sockets[0]
                accepted, _ = mine.accept()
                assert accepted.getsockname()[0] == address
                accepted.close()
    finally:
        for part in listenings:
            part.sockets[0].close()


def test_without_the_kernels_choice_each_shard_has_the_sockets_of_its_own_bmcs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("emulator.bmc.listen._wildcard_group", lambda port, shards: None)
    addresses = [f"127.41.0.{i + 1}" for i in range(6)]
    listenings = listen_in_shards(addresses, 0, 2)
    try:
        bound = [[s.getsockname()[0] for s in part.sockets] for part in listenings]
        assert bound == [addresses[1::2], addresses[::2]]
        assert len({s.getsockname()[1] for part in listenings for s in part.sockets}) == 1
    finally:
        for part in listenings:
            for server in part.sockets:
                server.close()
