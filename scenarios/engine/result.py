"""The verdict on a run, and ``result.json``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scenarios.engine.checks import CheckResult, judge_checks, saturated
from scenarios.engine.evidence import BROKEN_OFF, Evidence
from scenarios.engine.invariants import InvariantResult, Rules, Violation, judge
from scenarios.engine.measures import measure

SHOWN = 4
"""Shortfalls in the verdict line; the tables hold them all."""


@dataclass(frozen=True, slots=True)
class Result:
    """``virtual_seconds`` is the time that passed in the world, on either clock."""

    evidence: Evidence
    checks: list[CheckResult]
    invariants: list[InvariantResult]
    metrics: dict[str, float | None]
    wall_seconds: float
    virtual_seconds: float
    bottleneck: str = ""

    @property
    def passed(self) -> bool:
        """The run came to its end, every invariant held, no check failed, nor did a client's."""
        return (
            self.evidence.ending == "settled"
            and all(invariant.verdict == "held" for invariant in self.invariants)
            and all(check.outcome != "failed" for check in self.checks)
            and (self.evidence.client is None or bool(self.evidence.client["passed"]))
        )

    @property
    def violations(self) -> list[Violation]:
        """Of all invariants, by time."""
        found = [v for invariant in self.invariants for v in invariant.violations]
        return sorted(found, key=lambda violation: violation.time)

    def verdict(self) -> str:
        """One line that says how it ended and, if it did not hold, why."""
        evidence = self.evidence
        head = (
            f"{evidence.scenario.name}: {'HELD' if self.passed else 'NOT HELD'} "
            f"({evidence.clock} clock, seed {evidence.seed}, "
            f"{self.virtual_seconds:.1f} s in {self.wall_seconds:.1f} s)"
        )
        said = self.shortfalls()
        if len(said) > SHOWN:
            said[SHOWN:] = [f"and {len(said) - SHOWN} more"]
        return f"{head}: {'; '.join(said)}" if said else head

    def shortfalls(self) -> list[str]:
        """What fell short, in words; empty when nothing did."""
        said = []
        if self.evidence.ending != "settled":
            reason = self.evidence.reason
            said.append(f"the run ended {self.evidence.ending}{': ' + reason if reason else ''}")
        for invariant in self.invariants:
            if invariant.verdict == "violated":
                first = invariant.violations[0]
                time = first.time - self.evidence.origin
                where = " ".join(part for part in (first.host, first.machine) if part)
                said.append(f"{invariant.name} violated at {time:.3f} s on {where}")
            elif invariant.verdict == "inconclusive":
                said.append(f"{invariant.name} inconclusive: {invariant.reason}")
        said += [f"{c.check.measure} fell short" for c in self.checks if c.outcome == "failed"]
        client = self.evidence.client
        if client is not None and not client["passed"]:
            said.append(f"the load generator saw: {client['verdict']}")
        return said

    def to_json(self) -> dict[str, Any]:
        """``result.json``; times of violations are seconds since the load began.

        ``times`` are ``runtime.now()`` of the world, as in the logs.
        """
        evidence = self.evidence
        return {
            "scenario": evidence.scenario.name,
            "clock": evidence.clock,
            "seed": evidence.seed,
            "passed": self.passed,
            "ending": evidence.ending,
            "shortfalls": self.shortfalls(),
            "times": {
                "began": evidence.began,
                "load_began": evidence.load_began,
                "ended": evidence.ended,
            },
            **({"acts": self._acts()} if evidence.parts else {}),
            **({} if evidence.hints is None else {"hints_used": evidence.hints}),
            **({} if evidence.client is None else {"client": dict(evidence.client)}),
            "checks": [check.to_json() for check in self.checks],
            "invariants": {item.name: item.to_json() for item in self.invariants},
            "metrics": {name: _rounded(value) for name, value in self.metrics.items()},
            "wall_seconds": round(self.wall_seconds, 3),
            "virtual_seconds": round(self.virtual_seconds, 3),
            "trace_hash": evidence.trace_hash,
            "violations": [self._violation(violation) for violation in self.violations],
            "saturation": {
                name: round(max(shares, default=0.0), 3)
                for name, shares in sorted(evidence.saturation.items())
            },
            "bottleneck": self.bottleneck,
        }

    def _acts(self) -> list[dict[str, Any]]:
        return [part.to_json(self.evidence.origin) for part in self.evidence.parts]

    def _violation(self, violation: Violation) -> dict[str, Any]:
        return {
            "invariant": violation.invariant,
            "host": violation.host,
            "machine": violation.machine,
            "time": round(violation.time - self.evidence.origin, 6),
            "detail": violation.detail,
            "evidence": {
                "writes": list(violation.writes),
                "requests": list(violation.requests),
                "events": list(violation.events),
            },
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def conclude(evidence: Evidence, rules: Rules, wall_seconds: float) -> Result:
    """Judge everything."""
    metrics = measure(evidence)
    bottleneck = saturated(evidence.saturation)
    broken_off = evidence.ending in BROKEN_OFF
    unfinished = "the run did not get to its end" if broken_off else ""
    return Result(
        evidence=evidence,
        checks=judge_checks(evidence.scenario.checks, metrics, bottleneck, unfinished),
        invariants=judge(evidence, rules),
        metrics=metrics,
        wall_seconds=wall_seconds,
        virtual_seconds=max(0.0, evidence.ended - evidence.began),
        bottleneck=bottleneck,
    )
