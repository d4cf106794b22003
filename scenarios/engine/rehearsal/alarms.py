"""Which alarms fire, by Debian's own promtool: real Prometheus rules on what managers said.

The metrics are kept as a Prometheus that scrapes once a second would have them, with ``up`` and
its labels; ``promtool test rules`` evaluates the rules on these series, so this works on both
clocks and has one answer.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from beskar7.api.durations import parse_duration
from beskar7.manifests.objects import NAME
from beskar7.manifests.rights import NAMESPACE
from beskar7.monitoring.rules import MAX_COMPRESSION, rule_groups
from emulator.deployed import pod_of
from scenarios.engine.rehearsal.samples import Key

STEP = 1
"""Seconds between two scrapes: 15 and a bit, divided as all times of the rules are."""
UP = "up"
PATIENCE = 60.0
"""Seconds of wall time for one evaluation; it takes a fifth of one."""
_METRIC = re.compile(r"\bbeskar7[_:][a-z0-9_]+")
_FAILED = re.compile(r'expr: "(?:.*?)alertname=\\"(\w+)\\"(?:.*?)", time: ([0-9hms]+),')
SHOWN = 500


def promtool() -> str | None:
    """Its path; None where it is not installed."""
    return shutil.which("promtool")


@functools.cache
def rules(alarms: frozenset[str]) -> Mapping[str, Any]:
    """The rules that decide on ``alarms``, with all times divided, thresholds as they are."""
    groups = rule_groups(compression=MAX_COMPRESSION)["groups"]
    names, wanted = set[str](), set[str](alarms)
    while names != wanted:  # what a rule looks at may be what another one records
        names = set(wanted)
        for rule in (rule for group in groups for rule in group["rules"]):
            if rule.get("alert", rule.get("record")) in names:
                wanted.update(_METRIC.findall(rule["expr"]))
    for group in groups:
        group["rules"] = [
            rule for rule in group["rules"] if rule.get("alert", rule.get("record")) in names
        ]
    return {"groups": [group for group in groups if group["rules"]]}


@functools.cache
def watched(alarms: frozenset[str]) -> frozenset[str]:
    """The metrics that those rules look at."""
    found: set[str] = set()
    for group in rules(alarms)["groups"]:
        for rule in group["rules"]:
            found.update(_METRIC.findall(rule["expr"]))
    return frozenset(name for name in found if ":" not in name)


class AlarmBook:
    """Series since ``began`` (``runtime.now()``), and which of ``alarms`` they let fire when.

    Only what these look at is kept: a fleet's histograms would be most of the work.
    """

    def __init__(self, began: float, alarms: Collection[str]) -> None:
        self._began = began
        self._alarms = frozenset(alarms)
        self._watched = watched(self._alarms)
        self._scrapes: list[int] = []
        self._series: dict[str, dict[int, float]] = {}
        self._asked = -1
        self._now: set[str] = set()
        self.fired: dict[str, list[float]] = {}
        """At which moments (``runtime.now()``, to the second) each alarm was seen firing."""

    def take(
        self,
        now: float,
        samples: Mapping[str, Mapping[Key, float]],
        targets: Iterable[str],
    ) -> None:
        """One scrape: what each manager (by identity) says; ``targets`` are asked and counted in
        ``up``, whether they answer or not."""
        step = round((now - self._began) / STEP)
        if self._scrapes and step <= self._scrapes[-1]:
            return
        self._scrapes.append(step)
        answered = {pod_of(identity): found for identity, found in samples.items()}
        for pod in {*map(pod_of, targets), *answered}:
            labels = {"job": NAME, "instance": pod, "namespace": NAMESPACE, "pod": pod}
            self._put(_name(UP, labels), step, float(pod in answered))
            for (name, own), value in answered.get(pod, {}).items():
                if name in self._watched:
                    self._put(_name(name, labels | dict(own)), step, value)

    def _put(self, series: str, step: int, value: float) -> None:
        self._series.setdefault(series, {})[step] = value

    def firing(self) -> set[str]:
        """The alarms that fire at the last scrape. Takes a tenth of a second of the machine's time.

        Raises:
            OSError: promtool cannot be run; ValueError: it did not understand what it was given.
        """
        if not self._scrapes:
            return set()
        last = self._scrapes[-1]
        times = range(self._asked + 1, last + 1)
        at_last = set()
        for alarm, step in _evaluate(rules(self._alarms), self._document(times)):
            self.fired.setdefault(alarm, []).append(self._began + step * STEP)
            if step == last:
                at_last.add(alarm)
        if times:
            self._asked = last
            self._now = at_last
        return self._now

    def _document(self, times: Iterable[int]) -> dict[str, Any]:
        """A unit test of Prometheus' form, which expects that nothing fires and says what does."""
        return {
            "rule_files": ["rules.yaml"],
            "evaluation_interval": f"{STEP}s",
            "group_eval_order": [group["name"] for group in rules(self._alarms)["groups"]],
            "tests": [
                {
                    "interval": f"{STEP}s",
                    "input_series": [
                        {"series": series, "values": self._values(points)}
                        for series, points in sorted(self._series.items())
                    ],
                    "promql_expr_test": [
                        {
                            "expr": f'ALERTS{{alertname="{alarm}",alertstate="firing"}}',
                            "eval_time": f"{step * STEP}s",
                            "exp_samples": [],
                        }
                        for step in times
                        for alarm in sorted(self._alarms)
                    ],
                }
            ],
        }

    def _values(self, points: Mapping[int, float]) -> str:
        """In promtool's notation: one for each second, ``stale`` once a series is gone."""
        found = ["_"] * (self._scrapes[-1] + 1)
        before = False
        for step in self._scrapes:
            if step in points:
                found[step] = _number(points[step])
            elif before:
                found[step] = "stale"
            before = step in points
        return " ".join(found)


def _name(name: str, labels: Mapping[str, str]) -> str:
    inside = ",".join(
        f"{label}={orjson.dumps(value).decode()}" for label, value in sorted(labels.items())
    )
    return f"{name}{{{inside}}}"


def _number(value: float) -> str:
    text = repr(value)
    return {"inf": "Inf", "-inf": "-Inf", "nan": "NaN"}.get(text, text.removesuffix(".0"))


def _evaluate(groups: Mapping[str, Any], document: Mapping[str, Any]) -> Iterable[tuple[str, int]]:
    """Which alarm fires in which second, of those that are asked for."""
    if not document["tests"][0]["promql_expr_test"]:
        return []
    program = promtool()
    if program is None:
        raise FileNotFoundError("promtool is not installed")
    with tempfile.TemporaryDirectory(prefix="beskar7-alarms-") as scratch:
        # JSON is YAML as well, and is written faster.
        Path(scratch, "rules.yaml").write_bytes(orjson.dumps(groups))
        Path(scratch, "test.yaml").write_bytes(orjson.dumps(document))
        done = subprocess.run(  # noqa: S603 # a fixed program, arguments as a list
            [program, "test", "rules", "test.yaml"],
            cwd=scratch,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    said = done.stdout + done.stderr
    found = [(name, round(parse_duration(time) / STEP)) for name, time in _FAILED.findall(said)]
    if done.returncode and not found:
        raise ValueError(f"promtool: {said.strip()[:SHOWN]}")
    return found
