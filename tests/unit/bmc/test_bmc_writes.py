"""The short way to a view is the long one: the same answers, effects and logs, write by write.

Each history is played in two worlds alike, in one of them all the way through WSGI and Jinja.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sushy_tools.emulator import main

from emulator.bmc import application
from emulator.bmc.application import FleetApplication
from emulator.bmc.personalityfile import personalities
from emulator.bmc.redfish import Request
from emulator.bmc.views import Views

if TYPE_CHECKING:
    from conftest import Client

pytestmark = pytest.mark.unit
ROOT = "/redfish/v1"
IMAGE = "http://images/a.iso"
BOOTS: list[Any] = [
    {"BootSourceOverrideTarget": "Cd", "BootSourceOverrideEnabled": "Once"},
    {"BootSourceOverrideTarget": "Pxe", "BootSourceOverrideMode": "Legacy"},
    {"BootSourceOverrideTarget": "UefiTarget"},
    {"BootSourceOverrideTarget": "Tape"},
    {"BootSourceOverrideEnabled": 7},
    {"Wrong": 1},
    {},
    [],
    None,
]
BODIES: list[Any] = [
    *({"Boot": boot} for boot in BOOTS),
    *({"Boot": BOOTS[0], "AssetTag": "\u00e4"}, {"AssetTag": "x", "Serial": 1}, {"UUID": "x"}),
    *({"ResetType": kind} for kind in ("On", "ForceOff", "ForceRestart", "Nmi", "Sleep", None, 3)),
    *({"Image": image} for image in (IMAGE, "tape:x", 5, None)),
    {"Image": IMAGE, "Inserted": False},
    {"Image": IMAGE, "UserName": "u", "Password": "p", "WriteProtected": False},
    {"Image": IMAGE, "UserName": "u", "TransferProtocolType": "HTTP"},
    {"VerifyCertificate": False},
    {"IndicatorLED": "Lit"},
    {"Attributes": {"ProcVirtualization": "Disabled"}},
    {"UserName": "admin", "Password": "correct horse"},
    {"Destination": "http://127.0.0.1/e", "Protocol": "Redfish", "Context": "x"},
    {"DateTime": "2031-02-03T04:05:06+00:00"},
    *({}, [], b"", b"{", b'{"Image": 1e999}'),
]
PATHS = (
    *("{system}", "{system}/", "{system}/Actions/ComputerSystem.Reset", "{system}/Nothing"),
    *("{drive}", "{drive}/Actions/VirtualMedia.InsertMedia", "{drive}/Actions/VirtualMedia.X"),
    *("{drive}/Actions/VirtualMedia.EjectMedia", "{media}/Tape/Actions/VirtualMedia.EjectMedia"),
    *("{media}/Tape/Actions/VirtualMedia.InsertMedia", "{manager}", f"{ROOT}/Systems/nobody"),
    *(f"{ROOT}/Systems/nobody/Actions/ComputerSystem.Reset", "{system}/BIOS/Settings"),
    *(f"{ROOT}/SessionService/Sessions", f"{ROOT}/EventService/Subscriptions", f"{ROOT}//Systems"),
    *(f"{ROOT}/Systems/%30", "{manager}/Actions/Manager.Reset", "{system}/SecureBoot", "/", ""),
)
INSERT, EJECT = PATHS[5], PATHS[7]
WRITES = st.tuples(
    st.sampled_from(["POST", "PATCH", "PUT", "DELETE", "GET", "HEAD", "OPTIONS", "TRACE"]),
    st.sampled_from(PATHS),
    st.sampled_from(BODIES),
    st.sampled_from(["", "", "", "right", "wrong"]),
)
MEDIA = [body for body in BODIES if isinstance(body, dict) and "Image" in body]
HOT = [
    *(("PATCH", PATHS[0], {"Boot": boot}, "") for boot in BOOTS),
    *(("POST", PATHS[2], {"ResetType": kind}, "") for kind in ("On", "ForceOff", "Sleep")),
    *(("POST", INSERT, body, "") for body in MEDIA),
    *(("POST", EJECT, body, "") for body in ({}, b"")),
    ("PATCH", PATHS[4], {"Image": IMAGE, "Inserted": True}, ""),
    ("PATCH", PATHS[4], {"Image": None}, ""),
    *(("GET", path, b"", "") for path in (PATHS[0], PATHS[4], "{manager}")),
]
STEPS = st.one_of(st.sampled_from(HOT), st.sampled_from(HOT), WRITES, st.floats(0.0, 6.0))
InAWorld = Callable[..., None]


@contextmanager
def the_long_way() -> Iterator[None]:
    """All of WSGI, and Jinja itself."""
    answer, prepared = Views.answer, FleetApplication.render_template
    Views.answer = lambda self, *args: None  # type: ignore[method-assign]  # for a while
    FleetApplication.render_template = main.Application.render_template
    try:
        yield
    finally:
        Views.answer = answer  # type: ignore[method-assign]  # as it was
        FleetApplication.render_template = prepared


def play(client: Client, steps: list[Any]) -> list[Any]:
    """What a world shows of a history: each answer, and in the end the machine and the logs."""
    told: list[Any] = []
    for step in steps:
        if isinstance(step, float):
            client.fleet.runtime.sleep(step)
            continue
        method, path, body, condition = step
        drive = f"{client.media}/{client.disc}"
        path = path.format(
            system=client.system, manager=client.manager, media=client.media, drive=drive
        )
        headers = dict(client.headers)
        if condition:
            tag = client.call("GET", path).headers.get("ETag", '"none"')
            headers["If-Match"] = tag if condition == "right" else '"wrong"'
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        request = Request(method, path, headers, raw)
        plan = client.fleet.admit(client.bmc, request)
        answer = client.fleet.perform(client.bmc, request)
        client.fleet.finish(client.bmc, request, plan, answer, answer)
        told.append((step, answer))
    shown = [f"{client.media}/{client.disc}", client.system, client.manager, f"{ROOT}/Chassis"]
    told += [(path, client.call("GET", path)) for path in shown]
    log = client.fleet.log()
    return [*told, client.fleet.state(), log.records, log.events, client.bmc.machine.disc]


@settings(max_examples=60)
@example(
    steps=[
        *(("POST", INSERT, {"Image": IMAGE}, ""), ("PATCH", PATHS[0], {"Boot": BOOTS[0]}, "right")),
        *(("POST", PATHS[2], {"ResetType": "On"}, ""), 6.0, ("GET", PATHS[0], b"", "")),
        *(("POST", EJECT, {}, ""), ("PATCH", PATHS[0], {"Boot": BOOTS[0]}, "wrong")),
    ],
    vendor="generic",
)
@given(steps=st.lists(STEPS, min_size=1, max_size=12), vendor=st.sampled_from([*personalities()]))
def test_a_history_goes_the_same_both_ways(
    in_a_world: InAWorld, steps: list[Any], vendor: str
) -> None:
    both_ways(in_a_world, steps, vendor)


@pytest.mark.parametrize("vendor", personalities())
def test_each_write_of_a_provisioning_goes_the_same_both_ways(
    in_a_world: InAWorld, vendor: str
) -> None:
    looked = [[step, ("GET", PATHS[4], b"", ""), ("GET", PATHS[0], b"", "")] for step in HOT]
    both_ways(in_a_world, [step for steps in looked for step in steps], vendor)


def both_ways(in_a_world: InAWorld, steps: list[Any], vendor: str) -> None:
    world = {"hosts": 2, "scale": {"latency": 0, "boot": 0.02}, "vendors": (vendor,)}
    told: list[list[Any]] = []
    in_a_world(lambda client: told.append(play(client, steps)), **world)
    with the_long_way():
        in_a_world(lambda client: told.append(play(client, steps)), **world)
    short, long = told
    for ours, reference in zip(short, long, strict=True):
        assert ours == reference


def test_the_writes_of_a_provisioning_take_the_short_way(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the comparison above would compare the long way with itself."""

    def refuse(*_: object) -> Any:
        raise AssertionError("took the long way")

    monkeypatch.setattr(application, "through_wsgi", refuse)
    assert client.insert(IMAGE) == 204
    assert client.boot(**BOOTS[0]) == 204
    assert client.boot(**BOOTS[3]) == 400
    assert client.reset("On") == 204
    assert client.get(f"{client.media}/{client.disc}")["Inserted"] is True
    assert client.eject() == 204
