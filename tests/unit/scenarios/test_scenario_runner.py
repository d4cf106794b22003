"""The runner, in virtual time, over a world whose controller is a script."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from beskar7.runtime import VirtualRuntime
from scenarios.engine.evidence import Evidence
from scenarios.engine.invariants import Rules
from scenarios.engine.loader import loads
from scenarios.engine.progress import Lines, LiveTable
from scenarios.engine.result import Result, conclude
from scenarios.engine.runner import Run
from scenarios.engine.watching import Watcher

pytestmark = pytest.mark.unit

BASE = """
name: fake
world: {hosts: {count: 3}, managers: {replicas: 2}}
load: {machines: 3}
limits: {timeout: 30s, enrol_timeout: 5s}
"""


class Ran:
    """A run of ``text`` in a fake world with ``habits``, and what came out of it."""

    def __init__(
        self, fake: Any, text: str = BASE, *habits: str, seed: int = 7, **given: Any
    ) -> None:
        scenario = loads(text)
        self.runtime = VirtualRuntime(seed)
        self.world = fake(scenario, self.runtime, *habits)
        self.run = Run(scenario, clock="virtual", seed=seed, **given)

    def go(self) -> Ran:
        self.runtime.run(self.run.body, self.world)
        return self

    @property
    def evidence(self) -> Evidence:
        return self.run.evidence

    @property
    def result(self) -> Result:
        return conclude(self.evidence, Rules(), 0.1)

    def called(self, word: str) -> list[float]:
        return [time for time, call in self.world.calls if call.startswith(word)]


def test_a_scenario_runs_to_rest_and_holds(fake_world: Any) -> None:
    ran = Ran(fake_world).go()
    assert ran.evidence.ending == "settled"
    assert ran.result.passed, ran.result.shortfalls()
    assert ran.result.metrics["provisioned"] == 3
    assert ran.world.stopped == 1
    assert ran.evidence.complete
    assert set(ran.evidence.saturation["api"]) == {0.25}
    assert len(ran.evidence.trace_hash or "") == 32


def test_equal_seeds_give_equal_traces(fake_world: Any) -> None:
    text = BASE.replace("machines: 3", "machines: 3, arrivals: {poisson: 2/s}")
    hashes = [Ran(fake_world, text, seed=seed).go().evidence.trace_hash for seed in (1, 1, 2)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_acts_follow_in_order_once_their_triggers_hold(fake_world: Any) -> None:
    acts = """
acts:
  - when: {provisioned: 2}
    kill_manager: {target: follower}
  - when: {claimed: 3}
    delay: 1s
    start_manager: {}
  - at: 4s
    add_fault: {id: slow, kind: latency, latency: {mean: 1s}}
  - when: {settled: true}
    delete_machines: {count: 2}
  - when: {settled: true}
    create_machines: {count: 1}
  - at: 1s
    clear_fault: {}
"""
    ran = Ran(fake_world, BASE + acts).go()
    assert ran.evidence.ending == "settled", ran.evidence.reason
    kinds = [incident.kind for incident in ran.evidence.incidents]
    assert kinds == [
        *("load", "create", "kill-manager", "start-manager", "add-fault"),
        *("settled", "delete", "settled", "create", "clear-fault"),
    ]
    provisioned = sorted(
        record.time
        for record in ran.evidence.history.writes
        if record.kind == "Beskar7Machine" and record.verb == "update_status"
    )
    (kill,) = ran.called("kill follower mgr-1")
    assert 0 <= kill - provisioned[1] <= 0.11, "within a poll of the second Provisioned"
    assert ran.called("fault slow") == [pytest.approx(ran.evidence.origin + 4.0, abs=2e-3)]
    (restart,) = ran.called("start mgr-3")
    assert restart - kill >= 1.0
    assert ran.result.metrics["machines_created"] == 4
    assert ran.result.metrics["machines_deleted"] == 2
    assert ran.called("clear None"), "a time that is past is due at once"


def test_machines_arrive_at_their_times(fake_world: Any) -> None:
    text = BASE.replace("machines: 3", "machines: 3, arrivals: {constant: 0.8/s}")
    ran = Ran(fake_world, text).go()
    created = [t.created - ran.evidence.origin for t in ran.evidence.history.machines.values()]
    assert created == pytest.approx([0.0, 1.25, 2.5], abs=0.01)


def test_machines_leave_when_their_time_is_over(fake_world: Any) -> None:
    text = BASE.replace("machines: 3", "machines: 3, lifetime: {constant: 20s}")
    ran = Ran(fake_world, text).go()
    tracks = ran.evidence.history.machines.values()
    deleted = [record.time for record in ran.evidence.history.writes if record.verb == "delete"]
    assert len(deleted) == len(tracks) == 3
    assert deleted == pytest.approx([ran.evidence.origin + 20.0] * 3, abs=0.1)
    assert ran.evidence.ending == "settled"


def test_faults_begin_with_the_load_and_are_waited_for(fake_world: Any) -> None:
    fault = "faults: [{id: f, kind: hang, start: 2s, duration: 5s}]\n"
    ran = Ran(fake_world, BASE + fault).go()
    assert ran.called("fault f") == [pytest.approx(ran.evidence.origin, abs=1e-3)]
    assert ran.evidence.ending == "settled"
    assert ran.evidence.ended == pytest.approx(ran.evidence.origin + 7.0, abs=1e-3)


@pytest.mark.parametrize(
    ("which", "gone"),
    [
        ("provisioned-first", {"machine-001"}),
        ("oldest-first", {"machine-001"}),
        ("waiting-first", {"machine-004"}),
    ],
)
def test_which_machines_are_deleted(fake_world: Any, which: str, gone: set[str]) -> None:
    acts = f"acts: [{{when: {{settled: true}}, delete_machines: {{count: 1, which: {which}}}}}]\n"
    ran = Ran(fake_world, BASE.replace("machines: 3", "machines: 4") + acts).go()
    tracks = ran.evidence.history.machines.values()
    assert {track.name for track in tracks if track.gone} == gone
    assert ran.evidence.ending == "settled", ran.evidence.reason


def test_busy_are_those_whose_bmc_was_written_to_but_not_reset(fake_world: Any, logs: Any) -> None:
    ran = Ran(fake_world)
    begun, done = logs.provision("h1", "m1"), logs.provision("h2", "m2")
    logs.request("h1", 1.0, 1.1, "insert-media", operation=begun)
    logs.request("h2", 1.0, 1.1, "insert-media", operation=done)
    logs.request("h2", 1.2, 1.3, "reset:On", operation=done)
    logs.request("h3", 1.0, 1.1, "", operation=logs.provision("h3", "m3"))
    ran.evidence.add_bmc(logs.requests, [])
    ran.world.bmc_log = lambda *_: ([], [])
    assert Watcher(ran.world, ran.evidence).mid_provision() == {"uid-m1"}


def test_what_never_settles_ends_by_timeout_and_says_why(fake_world: Any) -> None:
    ran = Ran(fake_world, BASE, "idle").go()
    assert ran.evidence.ending == "timeout"
    assert "after 30s: machine-001 has no host though 3 are free" in ran.evidence.reason
    assert ran.world.stopped == 1
    verdicts = {item.name: item.verdict for item in ran.result.invariants}
    assert verdicts["terminal"] == "violated"
    assert not ran.result.passed


def test_an_act_that_never_comes_due_is_named(fake_world: Any) -> None:
    acts = "acts: [{when: {provisioned: 3}, kill_manager: {}}]\n"
    ran = Ran(fake_world, BASE + acts, "idle").go()
    assert 'act "when 3 provisioned: kill a manager (leader)"' in ran.evidence.reason


def test_hosts_that_do_not_enrol_end_it(fake_world: Any) -> None:
    ran = Ran(fake_world, BASE, "silent").go()
    assert ran.evidence.ending == "not enrolled"
    assert ran.evidence.reason == "after 5s the 3 hosts are: 3 None"
    assert ran.world.stopped == 1
    assert not ran.result.passed


def test_a_thief_is_caught(fake_world: Any) -> None:
    ran = Ran(fake_world, BASE.replace("machines: 3", "machines: 4"), "thief").go()
    verdicts = {item.name: item for item in ran.result.invariants}
    assert verdicts["single-owner"].verdict == "violated"
    first = verdicts["single-owner"].violations[0]
    assert first.machine == "machine-004"
    assert "single-owner violated" in ran.result.verdict()


def test_a_world_that_dies_is_taken_down_and_told(fake_world: Any) -> None:
    ran = Ran(fake_world, BASE, "mute").go()
    assert (ran.evidence.ending, ran.evidence.reason) == ("failed", "the API process died")
    assert ran.world.stopped == 1
    assert not ran.evidence.complete


def test_an_api_that_refuses_the_runner_is_told(fake_world: Any) -> None:
    text = BASE.replace("machines: 3", "machines: 3, namespace: nowhere")
    ran = Ran(fake_world, text).go()
    assert ran.evidence.ending == "failed"
    assert "NotFound" in ran.evidence.reason
    assert ran.world.stopped == 1


def test_ctrl_c_takes_the_world_down_and_keeps_what_was_seen(fake_world: Any) -> None:
    ran = Ran(fake_world)
    polls = iter(range(1000))

    def interrupt() -> None:
        if next(polls) == 4:
            raise KeyboardInterrupt

    ran.world.on_write_poll = interrupt
    with pytest.raises(KeyboardInterrupt):
        ran.go()
    assert ran.world.stopped == 1
    assert ran.evidence.ending == "interrupted"
    assert ran.evidence.complete, "the logs were still read"
    assert len(ran.evidence.history.writes) > 3
    assert not ran.result.passed


def test_progress_is_told_in_lines(fake_world: Any) -> None:
    stream = io.StringIO()
    clock = iter(range(10_000))
    Ran(fake_world, progress=Lines(stream, lambda: float(next(clock)))).go()
    told = stream.getvalue()
    assert "starting a world of 3 hosts and 2 managers" in told
    assert "all 3 hosts are Available" in told
    assert "Provisioned 1" in told
    assert "conflicts 0/" in told


def test_progress_on_a_terminal_is_a_table(fake_world: Any) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    clock = iter(range(10_000))
    table = LiveTable(console, "fake", lambda: float(next(clock)))
    Ran(fake_world, progress=table).go()
    told = screen.getvalue()
    assert "all 3 hosts are Available" in told
    assert "attempts, 0 conflicts" in told
    assert "mgr-1" in told
