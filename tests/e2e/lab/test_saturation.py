"""The harness says when it is the bottleneck, provoked: a shard that gets little of the machine."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from beskar7.runtime import LiveRuntime
from emulator.bmc.client import FleetControl
from emulator.lab import Lab
from scenarios.engine.checks import judge_checks, saturated
from scenarios.engine.measure_names import MEASURES
from scenarios.engine.schema import Check

pytestmark = pytest.mark.e2e
STOPPED, RUNNING = 0.45, 0.05
"""Seconds; a tenth of the time is left to the process."""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    hosts = [{"name": f"host-{i}", "address": f"127.31.0.{i + 1}"} for i in range(4)]
    made = Lab(LiveRuntime(1), tmp_path, {"hosts": hosts}, client="test", shards=2)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@contextlib.contextmanager
def starved(pid: int) -> Iterator[None]:
    """Stop the process nine tenths of the time, as a machine does that is busy with others."""
    over = Event()

    def throttle() -> None:
        while not over.is_set():
            os.kill(pid, signal.SIGSTOP)
            over.wait(STOPPED)
            os.kill(pid, signal.SIGCONT)
            over.wait(RUNNING)

    thread = Thread(target=throttle)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_starved_shard_takes_the_verdict_on_speed(lab: Lab) -> None:
    # The directory is how beskar7 fleet top finds the fleet.
    shards = FleetControl.of(lab.directory).metrics()["shards"]
    lab.saturation()
    samples: dict[str, list[float]] = {}
    with starved(shards[1]["pid"]):
        deadline = time.monotonic() + 30
        while not (said := saturated(samples)) and time.monotonic() < deadline:
            time.sleep(1.0)
            for name, share in lab.saturation().items():
                samples.setdefault(name, []).append(share)
    assert set(samples) == {"kube-apiserver", "fleet/0", "fleet/1"}
    assert "fleet/1" in said
    speed = next(name for name, measure in MEASURES.items() if measure.speed)
    check = Check(measure=speed, unit=MEASURES[speed].unit, maximum=1.0)
    (verdict,) = judge_checks([check], {speed: 100.0}, said)
    assert verdict.outcome == "not judged"
    assert "the harness was the bottleneck: fleet/1" in verdict.reason
