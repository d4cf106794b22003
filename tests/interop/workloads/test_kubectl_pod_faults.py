"""Faults of the API on what a pod's processes answer: logs and exec, as kubectl meets them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from emulator.deployed import NAME
from emulator.kube.faults.control import ApiControl

pytestmark = pytest.mark.interop

LOGS = ("logs", f"deployment/{NAME}", "--tail=1")
EXEC = ("exec", f"deployment/{NAME}", "--", "true")


@pytest.fixture
def fault(managers: Any, kubectl_lab: Any) -> Iterator[Callable[..., ApiControl]]:
    """Puts a fault on the streams of kubectl alone."""
    control = ApiControl.of(kubectl_lab.directory)

    def add(kind: str, what: str, **more: Any) -> ApiControl:
        select = {"clients": ["kubectl/*"], "kinds": [f"Pod/{what}"], **more.pop("select", {})}
        control.add_fault({"id": "f", "kind": kind, "select": select, **more})
        return control

    yield add
    control.clear_faults()
    control.close()


@pytest.fixture(params=["log", "exec"])
def stream(request: pytest.FixtureRequest, managers: Any) -> tuple[str, tuple[str, ...]]:
    if request.param == "exec" and not managers.has_exec:
        pytest.skip("kubectl before 1.31 speaks exec over SPDY only")
    return request.param, {"log": LOGS, "exec": EXEC}[request.param]


def test_an_error(managers: Any, fault: Any, stream: Any) -> None:
    what, command = stream
    control = fault("error", what, status=503)
    done = managers.run(*command)
    assert done.returncode != 0
    assert "503" in done.stderr or "injected by the lab's fault" in done.stderr
    assert control.faults()[0]["hits"] >= 1
    control.clear_faults()
    managers(*command)


def test_a_reset(managers: Any, fault: Any, stream: Any) -> None:
    what, command = stream
    control = fault("reset", what)
    assert managers.run(*command).returncode != 0
    assert control.faults()[0]["hits"] >= 1
    control.clear_faults()
    managers(*command)


def test_a_hang(managers: Any, fault: Any, stream: Any) -> None:
    what, command = stream
    # A GET that was cut on a connection in use before is sent again: the log must be given up.
    if what == "log":
        control = fault("hang", what)
        assert managers.run("--request-timeout=1s", *command).returncode != 0
    else:
        control = fault("hang", what, duration=2.0)
        assert managers.run(*command).returncode != 0
    assert control.faults()[0]["hits"] >= 1


def test_latency(managers: Any, fault: Any, stream: Any) -> None:
    what, command = stream
    control = fault("latency", what, latency={"mean": 0.3})
    managers(*command)
    assert control.faults()[0]["hits"] >= 1


def test_the_verb_and_the_other_stream_are_not_hit(managers: Any, fault: Any) -> None:
    control = fault("error", "exec", status=503)
    managers(*LOGS)
    control.clear_faults()
    fault("error", "log", status=503, select={"verbs": ["create"]})
    managers(*LOGS)
    assert control.faults()[0]["hits"] == 0
