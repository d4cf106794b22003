"""One seed is one run: in this process and others, under any hash seed, on any Python at hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from scenarios.engine import fingerprint

pytestmark = pytest.mark.sim

ROOT = Path(__file__).parents[3]
SEED = 11
"""For both of the scenarios below."""
CLAIMS_BY_A_LEADER = """\
name: leader-mode
world:
  hosts: {count: 4, vendors: {dell: 2, hpe: 1, lenovo: 1}, racks: 2, scale: {boot: 0.02}}
  managers:
    replicas: 2
    args: {enable-claim-coordinator-leader-election: "true"}
load: {machines: 5}
acts:
  - when: {provisioned: 2}
    kill_manager: {target: leader}
  - when: {settled: true}
    delete_machines: {count: 2, which: random}
limits: {timeout: 30m, enrol_timeout: 5m}
"""
FAULTS_OF_ALL_SORTS = """\
name: faults
world:
  hosts: {count: 4, vendors: {supermicro: 2, generic: 2}, scale: {boot: 0.02}}
  managers: {replicas: 2}
load: {machines: 4, arrivals: {poisson: 0.5/s}, lifetime: {exponential: 1m}}
faults:
  - id: slow
    kind: latency
    select: {fraction: 0.5}
    latency: {distribution: lognormal, mean: 500ms, sigma: 0.5}
  - {id: flaky, kind: error, status: 500, probability: 0.1, duration: 1m}
  - {id: cut, kind: reset, perform: true, match: {methods: [POST]}, probability: 0.2, duration: 1m}
  - {id: late, kind: latency, target: api, probability: 0.2, latency: {mean: 200ms}, duration: 1m}
  - {id: deaf, kind: lose-event, target: api, probability: 0.1, duration: 1m}
  - {id: wrong, kind: clock-skew, target: api, offset: 1m, drift: 0.01}
limits: {timeout: 30m, enrol_timeout: 5m}
"""
TEXTS = [CLAIMS_BY_A_LEADER, FAULTS_OF_ALL_SORTS]


def start(python: str, hash_seed: str) -> subprocess.Popen[bytes]:
    """Play all texts in a process of its own."""
    return subprocess.Popen(
        [python, "-m", fingerprint.__name__],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def printed(processes: list[subprocess.Popen[bytes]]) -> Iterator[list[dict[str, str]]]:
    asked = json.dumps({"texts": TEXTS, "seed": SEED}).encode()
    with ExitStack() as stack:
        for process in processes:
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stdin is not None
            process.stdin.write(asked)
            process.stdin.close()
        for process in processes:
            assert process.stdout is not None
            yield json.loads(process.stdout.read())


@pytest.fixture(scope="module")
def own() -> list[dict[str, str]]:
    return [fingerprint.of(text, SEED) for text in TEXTS]


def test_two_runs_and_three_processes_at_once(own: list[dict[str, str]]) -> None:
    """The second run here meets what the first one has left in the process."""
    processes = [start(sys.executable, hash_seed) for hash_seed in ("0", "1", "random")]
    again = [fingerprint.of(text, SEED) for text in TEXTS]
    assert [again, *printed(processes)] == [own] * 4


def others() -> list[str]:
    """Other versions of Python on the path."""
    names = [f"python3.{minor}" for minor in range(11, 20) if minor != sys.version_info.minor]
    return [found for name in names if (found := shutil.which(name))]


def test_another_python(own: list[dict[str, str]]) -> None:
    needed = "import greenlet, orjson, prometheus_client, simpy, sushy, sushy_tools"
    able = [
        python
        for python in others()
        if not subprocess.run([python, "-c", needed], capture_output=True, check=False).returncode
    ]
    if not able:
        pytest.skip("no other Python on the path has the packages")
    assert list(printed([start(python, "random") for python in able])) == [own] * len(able)


def test_another_seed_is_another_run(own: list[dict[str, str]]) -> None:
    assert fingerprint.of(TEXTS[0], SEED + 1)["trace"] != own[0]["trace"]
