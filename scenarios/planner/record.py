"""A plan as plain data, for ``--output json`` and ``plan.json``."""

from __future__ import annotations

import math
from typing import Any

from scenarios.engine.objectives import Objective
from scenarios.models.estimates import Estimate
from scenarios.planner.plan import Plan
from scenarios.planner.verify import Verification


def to_json(plan: Plan, command: str) -> dict[str, Any]:
    """All of it; numbers in the measures' units, None for what has no finite value."""
    return {
        "ending": plan.ending,
        "scenario": plan.scenario.name,
        "command": command,
        "confidence": plan.confidence,
        "seeds": {"searched": list(plan.seeds), "tested": list(plan.fresh)},
        "rounds": plan.rounds,
        "room": plan.room,
        "runs": plan.runs,
        "candidates": plan.candidates,
        "wallSeconds": round(plan.wall_seconds, 3),
        "weights": dict(plan.weights),
        "chosen": plan.values,
        "costs": plan.costs,
        "cost": plan.cost if plan.values else None,
        "tested": plan.tested,
        "objectives": [
            {
                "objective": str(each.objective),
                "bound": each.objective.bound,
                "unit": each.objective.unit,
                "mean": _estimate(each.mean),
                "limit": _number(each.limit),
                "margin": _number(each.margin),
                "missed": each.missed,
                "runs": each.mean.count,
            }
            for each in plan.figures
        ],
        "steps": [
            {
                "axis": step.axis,
                "from": step.chosen,
                "to": step.value,
                "cost": step.cost,
                "changes": dict(
                    zip(
                        (str(each) for each in plan.objectives),
                        map(_estimate, step.changes),
                        strict=True,
                    )
                ),
                "breaks": _name(step.missed),
            }
            for step in plan.steps
        ],
        "stresses": [
            {
                "what": each.what,
                "breaksAt": each.change,
                "tried": each.tried,
                "breaks": _name(each.missed),
            }
            for each in plan.stresses
        ],
        "impossible": [
            {
                "objective": str(each.objective),
                "mean": _estimate(each.mean),
                "over": _number(each.over),
                "missed": each.missed,
                "runs": each.runs,
                "why": each.words,
                "if": [
                    {"if": cause.if_, "mean": _estimate(cause.mean), "kept": cause.kept}
                    for cause in each.causes
                ],
            }
            for each in plan.missed
        ],
        "verifications": [_verification(each, plan.objectives) for each in plan.verifications],
        "configMap": plan.applied.config_map if plan.applied else None,
        "flags": list(plan.applied.flags) if plan.applied else [],
        "replicas": plan.applied.replicas if plan.applied else None,
        "advice": list(plan.applied.advice) if plan.applied else [],
    }


def _verification(found: Verification, objectives: tuple[Objective, ...]) -> dict[str, Any]:
    return {
        "fidelity": found.fidelity,
        "held": found.held,
        "missed": list(found.missed),
        "runs": [
            {
                "seed": each.seed,
                "values": dict(zip(map(str, objectives), map(_number, each.values), strict=True)),
                "shortfalls": list(each.shortfalls),
                "wallSeconds": round(each.wall_seconds, 3),
                "bottleneck": each.bottleneck,
            }
            for each in found.outcomes
        ],
        "modelError": {
            str(each.objective): {"median": _number(each.median), "worst": _number(each.worst)}
            for each in found.errors
        },
    }


def _estimate(found: Estimate) -> dict[str, float | int | None]:
    return {
        "mean": _number(found.mean),
        "low": _number(found.low),
        "high": _number(found.high),
        "runs": found.count,
    }


def _name(objective: Objective | None) -> str | None:
    return None if objective is None else str(objective)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
