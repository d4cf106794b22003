"""The machine behind a BMC: power, boot and media as a function of commands and time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sushy_tools import error

from emulator.bmc.machine import RESET_TYPES, Machine

pytestmark = pytest.mark.unit

ON, OFF, SHUTDOWN, BOOT = 3.0, 2.0, 20.0, 100.0


class Fixed:
    """Durations that are the same every time, in seconds."""

    phases = ((0.0, "MemoryInitializationStarted"), (0.5, "OSBootStarted"))

    def power_on(self) -> float:
        return ON

    def power_off(self) -> float:
        return OFF

    def shutdown(self) -> float:
        return SHUTDOWN

    def boot(self) -> float:
        return BOOT


class Growing(Fixed):
    """Each draw differs from the one before, as a random stream's would."""

    def __init__(self) -> None:
        self._drawn = 0

    def boot(self) -> float:
        self._drawn += 1
        return 10.0 + self._drawn


Events = list[tuple[float, str, str]]


def make(power: str = "Off", durations: Fixed | None = None) -> tuple[Machine, Events]:
    events: Events = []

    def emit(time: float, kind: str, detail: str) -> None:
        events.append((time, kind, detail))

    return Machine(durations or Fixed(), emit, power, 0.0), events


def test_on_takes_its_time_then_boots_the_disk() -> None:
    machine, events = make()
    machine.reset("On", 0.0)
    machine.advance(ON - 0.1)
    assert machine.power == "Off"
    machine.advance(1000.0)
    assert machine.power == "On"
    assert events == [
        (ON, "power-on", ""),
        (ON, "boot-started", "Hdd:"),
        (ON + BOOT, "boot-finished", "Hdd:"),
    ]


def test_one_time_override_is_used_up_at_the_boots_start() -> None:
    machine, events = make()
    machine.insert("Cd", "http://images/x.iso", 0.0)
    machine.set_override("Cd", "Once")
    machine.reset("On", 0.0)
    machine.advance(ON)
    assert (machine.override_target, machine.override_enabled) == ("None", "Disabled")
    machine.advance(200.0)
    machine.reset("ForceRestart", 200.0)
    machine.advance(400.0)
    boots = [detail for _, kind, detail in events if kind == "boot-finished"]
    assert boots == ["Cd:http://images/x.iso", "Hdd:"]


def test_continuous_override_stays() -> None:
    machine, events = make()
    machine.set_override("Pxe", "Continuous")
    machine.reset("On", 0.0)
    machine.advance(200.0)
    machine.reset("ForceRestart", 200.0)
    machine.advance(400.0)
    assert [d for _, k, d in events if k == "boot-started"] == ["Pxe:", "Pxe:"]


def test_disabled_override_is_ignored_and_an_empty_drive_falls_to_the_disk() -> None:
    for enabled in ("Disabled", "Once"):
        machine, events = make()
        machine.set_override("Cd" if enabled == "Once" else "Pxe", enabled)
        machine.reset("On", 0.0)
        machine.advance(ON)
        assert events[-1] == (ON, "boot-started", "Hdd:")


def test_force_off_cancels_a_boot() -> None:
    machine, events = make()
    machine.reset("On", 0.0)
    machine.advance(50.0)
    machine.reset("ForceOff", 50.0)
    machine.advance(1000.0)
    assert machine.power == "Off"
    assert [kind for _, kind, _ in events] == ["power-on", "boot-started", "power-off"]
    assert machine.progress(1000.0) == ("None", 50.0 + OFF)


def test_force_off_before_the_power_is_on_calls_it_off() -> None:
    machine, events = make()
    machine.reset("On", 0.0)
    machine.reset("ForceOff", 1.0)
    machine.advance(1000.0)
    assert machine.power == "Off"
    assert events == []


def test_force_off_hastens_a_graceful_shutdown_and_the_reverse_does_not_delay_it() -> None:
    for first, second in (("GracefulShutdown", "ForceOff"), ("ForceOff", "GracefulShutdown")):
        machine, events = make("On")
        machine.reset(first, 0.0)
        machine.reset(second, 1.0)
        machine.advance(1000.0)
        assert events == [(1.0 + OFF if second == "ForceOff" else OFF, "power-off", "")]


@pytest.mark.parametrize(
    ("power", "kind", "after"),
    [
        ("Off", "On", "On"),
        ("Off", "ForceOn", "On"),
        ("Off", "PushPowerButton", "On"),
        ("Off", "ForceRestart", "On"),
        ("Off", "GracefulRestart", "On"),
        ("Off", "ForceOff", "Off"),
        ("Off", "GracefulShutdown", "Off"),
        ("Off", "Nmi", "Off"),
        ("On", "On", "On"),
        ("On", "ForceOn", "On"),
        ("On", "PushPowerButton", "Off"),
        ("On", "ForceRestart", "On"),
        ("On", "GracefulRestart", "On"),
        ("On", "ForceOff", "Off"),
        ("On", "GracefulShutdown", "Off"),
        ("On", "Nmi", "On"),
    ],
)
def test_every_reset_type_ends_where_it_should(power: str, kind: str, after: str) -> None:
    machine, events = make(power)
    machine.reset(kind, 0.0)
    machine.advance(1000.0)
    assert machine.power == after
    boots = sum(kind == "boot-started" for _, kind, _ in events)
    assert boots == (1 if "Restart" in kind or (power, after) == ("Off", "On") else 0)


@pytest.mark.parametrize("kind", [None, "", "Suspend", "on"])
def test_unknown_reset_types_are_refused(kind: str | None) -> None:
    machine, _ = make()
    with pytest.raises(error.BadRequest, match="ResetType"):
        machine.reset(kind, 0.0)


def test_unknown_overrides_are_refused_and_change_nothing() -> None:
    machine, _ = make()
    for target, enabled in (("Usb", "Once"), ("Cd", "Always")):
        with pytest.raises(error.BadRequest):
            machine.set_override(target, enabled)
    assert (machine.override_target, machine.override_enabled) == ("None", "Disabled")


def test_progress_follows_the_phases() -> None:
    machine, _ = make()
    machine.reset("On", 0.0)
    seen = []
    for now in (0.0, ON, ON + 49.0, ON + 50.0, ON + BOOT):
        machine.advance(now)
        seen.append(machine.progress(now)[0])
    memory, os_boot = "MemoryInitializationStarted", "OSBootStarted"
    assert seen == ["None", memory, memory, os_boot, "OSRunning"]
    assert machine.progress(500.0) == ("OSRunning", ON + BOOT)


def test_a_machine_that_is_on_from_the_beginning_runs() -> None:
    machine, events = make("On")
    assert machine.progress(0.0)[0] == "OSRunning"
    assert machine.next_due is None
    assert events == []


def test_inserting_replaces_and_ejecting_nothing_is_no_event() -> None:
    machine, events = make()
    machine.eject("Cd", 0.0)
    machine.insert("Cd", "http://a", 1.0)
    machine.insert("Cd", "http://b", 2.0)
    machine.eject("Cd", 3.0)
    assert events == [
        (1.0, "media-inserted", "Cd:http://a"),
        (2.0, "media-ejected", "Cd:http://a"),
        (2.0, "media-inserted", "Cd:http://b"),
        (3.0, "media-ejected", "Cd:http://b"),
    ]


COMMANDS = st.one_of(
    st.tuples(st.just("reset"), st.sampled_from(RESET_TYPES)),
    st.tuples(st.just("override"), st.sampled_from(["Once", "Continuous", "Disabled"])),
    st.tuples(st.just("insert"), st.sampled_from(["http://a", "http://b"])),
    st.tuples(st.just("eject"), st.just("")),
)
STEPS = st.lists(st.tuples(st.sampled_from([0.0, 0.5, 2.0, 7.0, 30.0]), COMMANDS), max_size=25)


def _drive(steps: list[tuple[float, tuple[str, str]]], looks: int) -> tuple[Events, str]:
    """Play the commands; between two of them look at the machine ``looks`` times."""
    machine, events = make(durations=Growing())
    now = 0.0
    for wait, (command, argument) in [*steps, (500.0, ("look", ""))]:
        for look in range(looks):
            machine.advance(now + wait * look / looks)
        now += wait
        machine.advance(now)
        if command == "reset":
            machine.reset(argument, now)
        elif command == "override":
            machine.set_override("Cd", argument)
        elif command == "insert":
            machine.insert("Cd", argument, now)
        elif command == "eject":
            machine.eject("Cd", now)
    return events, machine.power


@settings(max_examples=120, deadline=None)
@given(steps=STEPS)
def test_how_often_one_looks_changes_nothing(steps: list[tuple[float, tuple[str, str]]]) -> None:
    seldom, often = _drive(steps, looks=0), _drive(steps, looks=7)
    assert seldom == often


@settings(max_examples=120, deadline=None)
@given(steps=STEPS)
def test_events_tell_a_possible_story(steps: list[tuple[float, tuple[str, str]]]) -> None:
    events, power = _drive(steps, looks=0)
    assert [time for time, _, _ in events] == sorted(time for time, _, _ in events)
    on, booting, media = False, "", ""
    for _, kind, detail in events:
        if kind == "power-on":
            assert not on
            on = True
        elif kind == "power-off":
            assert on
            on, booting = False, ""
        elif kind == "boot-started":
            assert on
            booting = detail
            assert detail in ("Hdd:", f"Cd:{media}")
        elif kind == "boot-finished":
            assert on
            assert detail == booting
            booting = ""
        elif kind == "media-inserted":
            assert media == ""
            media = detail.removeprefix("Cd:")
        else:
            assert detail == f"Cd:{media}"
            media = ""
    assert power == ("On" if on else "Off")
    assert booting == "", "500 s after the last command every boot is over"
