"""One machine's life with a crash, a stale cache or an unobserved event at each of its points.

A run learns the points; then each is replayed with one perturbation. Every invariant holds, and the
end is the same. And each pattern finds a defect that no undisturbed run shows.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from beskar7.cli import main
from beskar7.controllers.claims import Claims
from beskar7.controllers.lifecycle import HostLifecycle
from beskar7.controllers.steps import Step
from beskar7.kube.reflector import Reflector
from scenarios.engine.loader import loads
from scenarios.sieve.points import Point
from scenarios.sieve.probe import Spans
from scenarios.sieve.replay import Finding, Lesson, learn, perturbed
from scenarios.sieve.run import replay_all

pytestmark = pytest.mark.sim

SCENARIO = """
name: one-life
world:
  hosts: {count: 2, vendors: {dell: 1, hpe: 1}, scale: {boot: 0.005, latency: 0.05}}
  managers:
    replicas: 2
    args: {leader-elect-lease-duration: 5s, leader-elect-renew-deadline: 3s,
           leader-elect-retry-period: 1s}
  config: {provisioning.bmcCooldownPeriod: 1s}
load: {machines: 1}
acts:
  - when: {settled: true}
    delete_machines: {count: 1}
limits: {timeout: 300s, enrol_timeout: 60s}
"""
SEED = 5
SHARDS = 8
"""Parts of the enumeration, so that test workers share it."""


def lesson(text: str = SCENARIO) -> Lesson:
    return learn(loads(text), SEED)


def test_the_learned_run_holds_and_has_the_points_of_a_whole_life() -> None:
    learned = lesson()
    assert learned.shortfalls == ()
    assert learned.ends == {"machine-001": "gone", "hosts Available": "2"}
    calls = [sight.what for sight in learned.learned.calls]
    for part in ("update PhysicalHost", "InsertMedia", "ComputerSystem.Reset", "EjectMedia"):
        assert any(part in what for what in calls), part
    points, every = learned.learned.points(), learned.learned.points(every=True)
    assert {point.pattern for point in points} == {"intermediate", "stale", "unobserved"}
    assert 100 < len(points) < len(every)
    assert len({point.name for point in every}) == len(every)
    assert [Point.parse(point.name).name for point in every] == [point.name for point in every]


@pytest.mark.parametrize("shard", range(SHARDS))
def test_whatever_disturbs_it_the_life_goes_on(shard: int) -> None:
    learned = lesson()
    deaths, others = learned.learned.points(["intermediate"]), ["stale", "unobserved"]
    # Every second of the others, for time: `beskar7 sieve` plays them all.
    points = [*deaths, *learned.learned.points(others)[::2]][shard::SHARDS]
    failures = [found for found in replay_all(learned, points, Spans(), 1) if found.shortfalls]
    assert failures == []


def first(pattern: Any, how: str) -> Finding:
    """What is found first, of a defect that the learned run does not show."""
    learned = lesson()
    assert learned.shortfalls == ()
    for point in learned.learned.points([pattern]):
        if point.how == how:
            _, found = perturbed(learned, point, Spans())
            if found.shortfalls:
                return found
    raise AssertionError("the defect was not found")


def test_a_crash_finds_work_that_only_its_process_knew_of(monkeypatch: Any) -> None:
    provision = HostLifecycle._provision

    def forgetful(self: HostLifecycle, host: Any, outcome: Any) -> Step:
        return Step() if outcome is None else provision(self, host, outcome)

    monkeypatch.setattr(HostLifecycle, "_provision", forgetful)
    monkeypatch.setattr(HostLifecycle, "_watched", lambda self, host, step: step)
    found = first("intermediate", "answer")
    assert "still Provisioning" in " ".join(found.shortfalls)


def test_the_past_finds_who_believes_a_cache_about_owners(monkeypatch: Any) -> None:
    def owned(self: Claims, machine: Any) -> list[Any]:
        return [self._env.copy(host) for host in [self.known(machine)] if host is not None]

    monkeypatch.setattr(Claims, "owned", owned)
    found = first("stale", "next")
    # The claim finds that the host is the machine's own, and counts it a second time.
    assert "counters-agree violated" in " ".join(found.shortfalls)


def test_a_run_that_goes_another_way_is_told() -> None:
    learned = lesson()
    point = learned.learned.points(["intermediate"])[3]
    other = Point(point.pattern, point.how, point.number, "get Nothing default/x")
    _, found = perturbed(learned, other, Spans())
    assert found.shortfalls[0].startswith("the run went another way")
    _, found = perturbed(learned, Point("unobserved", "lost", 10_000), Spans())
    assert "the run never came to this point" in found.shortfalls


def test_processes_beside_each_other_find_the_same() -> None:
    learned = lesson()
    points = learned.learned.points()[:4]
    alone, beside = (list(replay_all(learned, points, Spans(), jobs)) for jobs in (1, 2))
    assert sorted(beside, key=repr) == sorted(alone, key=repr)


def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "life.yaml"
    path.write_text(SCENARIO)

    def sieve(*options: str) -> tuple[int, str, str]:
        code = main(["sieve", str(path), "--seed", str(SEED), *options])
        return code, *capsys.readouterr()

    code, told, _ = sieve("--only", "stale:next:2", "--report", str(tmp_path / "out"))
    assert (code, "HELD" in told) == (0, True)
    assert json.loads((tmp_path / "out" / "result.json").read_text())["passed"] is True
    code, _, said = sieve("--only", "stale:next:1000")
    assert (code, "has no such point" in said) == (2, True)
    assert sieve("--report", "x")[0] == 2
    with pytest.raises(SystemExit, match="2"):
        sieve("--only", "stale:answer:1")
    monkeypatch.setattr(Reflector, "_relist", lambda self: None)
    code, told, _ = sieve("--only", "unobserved:lost:2", "--output", "json")
    failure = json.loads(told)["failures"][0]
    assert code == 1
    assert f"--only {failure['point']}" in failure["replay"]
    assert "the run ended timeout" in failure["shortfalls"][0]


def test_what_falls_short_undisturbed_is_no_lesson(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "life.yaml"
    path.write_text(SCENARIO.replace("enrol_timeout: 60s", "enrol_timeout: 1s"))
    path.write_text(path.read_text().replace("boot: 0.005, latency: 0.05", "latency: 100"))
    assert main(["sieve", str(path)]) == 1
    assert "falls short by itself: the run ended not enrolled" in capsys.readouterr().err
