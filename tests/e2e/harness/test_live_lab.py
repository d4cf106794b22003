"""A lab of real processes by the plugin's fixtures, with Beskar7's managers and with others'."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from beskar7.runtime import LiveRuntime
from beskar7_harness.errors import LabError, NotReached
from beskar7_harness.lab import Lab, open_lab

pytestmark = pytest.mark.e2e
TINY = str(Path(__file__).with_name("tiny_controller.py"))
FAST = {
    "leader-elect-lease-duration": "3s",
    "leader-elect-renew-deadline": "2s",
    "leader-elect-retry-period": "500ms",
}


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.beskar7(hosts=3, managers=2, args=FAST, seed=7)
def test_a_machine_through_faults_and_a_killed_leader(lab: Lab, tmp_path: Path) -> None:
    first = lab.create_machine()
    lab.wait_until(first.provisioned)
    killed = lab.managers.kill("leader")
    assert killed not in lab.managers.names()
    with lab.faults.during("error", hosts="host-00*", status=503):
        second = lab.create_machine()
        lab.wait_until(second.claimed)
        lab.wait_until(lambda: any(r.fault for r in lab.fleet.requests()))
    lab.wait_until(second.provisioned)
    assert lab.managers.leader() == lab.managers.names()[0]
    host = second.host
    assert host is not None
    assert host.power == "On"
    done = subprocess.run(
        [sys.executable, "-c", LISTING],
        env={**os.environ, "KUBECONFIG": str(lab.kubeconfig)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["machine-001", "machine-002"]
    lab.save(tmp_path / "kept", "as an example")
    kept = {path.name for path in (tmp_path / "kept").iterdir()}
    assert {
        "report.html",
        "timeline.html",
        "fleet.log",
        "kube-apiserver.log",
        "manager-2.log",
    } <= kept
    assert not kept & {"kubeconfig", "token", "bmc-credentials.json", "ca.crt"}
    told = lab.timeline(machine=second.name)
    assert f"{killed}" in told


LISTING = """
from kubernetes import client, config
config.load_kube_config()
found = client.CustomObjectsApi().list_namespaced_custom_object(
    "infrastructure.cluster.x-k8s.io", "v1beta1", "default", "beskar7machines")
print(*(item["metadata"]["name"] for item in found["items"]))
"""


@pytest.mark.beskar7(hosts=2, manager_command=[sys.executable, TINY])
def test_a_controller_that_is_not_ours(lab: Lab) -> None:
    machine = lab.create_machine()
    lab.wait_until(machine.claimed, timeout=30)
    assert lab.managers.names() == ["manager-1"]
    assert lab.managers.kill("any") == "manager-1"
    waiting = lab.create_machine()
    with pytest.raises(NotReached, match="of 2 hosts 0 are Available and free"):
        lab.wait_until(waiting.claimed, timeout=0.5)
    assert lab.managers.start() == "manager-2"
    lab.wait_until(waiting.claimed, timeout=30)
    assert machine.host != waiting.host


def test_a_controller_that_ends_is_told_with_its_last_words() -> None:
    with open_lab(hosts=1, manager_command=[sys.executable, TINY, "--fail"]) as lab:
        machine = lab.create_machine()
        with pytest.raises(LabError, match=r"manager-1 has ended by itself\s+tiny: no such flag"):
            lab.wait_until(machine.claimed, timeout=30)


def test_no_process_outlives_a_lab_or_whoever_started_it(tmp_path: Path) -> None:
    script = (
        "import sys, os, signal\n"
        "from beskar7_harness.lab import open_lab\n"
        f"with open_lab(hosts=1, manager_command=[{sys.executable!r}, {TINY!r}]) as lab:\n"
        "    child = lab._place.crew._children['manager-1']\n"
        "    print(os.getpid(), child.pid, child.ready['pid'], flush=True)\n"
        "    signal.pause()\n"
    )
    runtime = LiveRuntime()
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert len(pids) == 3
        assert not any(map(gone, pids))
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    deadline = runtime.now() + 20
    while not all(map(gone, pids)) and runtime.now() < deadline:
        runtime.sleep(0.05)
    assert all(map(gone, pids))


def guard(*command: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "beskar7_harness.guard", os.getcwd(), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


STUBBORN = (
    "import signal, os, sys, subprocess\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = subprocess.Popen(['sleep', '60'])\n"
    "print(child.pid, flush=True)\n"
    "signal.pause()\n"
)


def test_the_guard_kills_at_once_and_with_all_children() -> None:
    process = guard(sys.executable, "-c", STUBBORN)
    assert process.stderr is not None
    child = int(process.stderr.readline())
    _, _ = process.communicate(b"kill\n", timeout=5)
    assert process.returncode == 128 + signal.SIGKILL
    assert gone(child)


def test_the_guard_passes_on_sigterm_exit_codes_and_mistakes() -> None:
    process = guard("sleep", "60")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=5)
    assert process.returncode == 128 + signal.SIGTERM
    process = guard("/bin/sh", "-c", "sleep 60 & echo $! >&2; exit 7")
    assert process.stderr is not None
    child = int(process.stderr.readline())
    assert process.wait(10) == 7
    # What it left behind has gone with it.
    assert gone(child)
    process = guard("/nowhere/controller")
    _, said = process.communicate(timeout=10)
    assert (process.returncode, said) == (127, b"/nowhere/controller: No such file or directory\n")


def test_workers_of_xdist_have_labs_of_their_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_mine="""
        import pathlib
        import pytest

        pytestmark = pytest.mark.beskar7(hosts=2, scope="session", manager_command=["sleep", "99"])

        @pytest.mark.parametrize("number", range(4))
        def test_alone(lab, number, worker_id, request):
            assert lab.machines() == []
            lab.create_machine()
            seen = pathlib.Path(str(request.config.rootpath), worker_id)
            with seen.open("a") as file:
                file.write(f"{lab.kubeconfig}\\n")
            assert number != 3
        """
    )
    result = pytester.runpytest_subprocess("-n2", "-p", "no:locust", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        ["live clock, seed 1, *", "*test_mine.py__test_alone[[]3[]]: report*"]
    )
    labs = [set((pytester.path / name).read_text().split()) for name in ("gw0", "gw1")]
    # One for each worker, over all of its tests.
    assert [len(each) for each in labs] == [1, 1]
    assert labs[0] != labs[1]
