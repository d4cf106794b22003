"""Plays a storm, by the model or by the controller in virtual time."""

from __future__ import annotations

from dataclasses import replace

from beskar7.runtime import LiveRuntime
from scenarios.engine.clocks import Fidelity
from scenarios.engine.expand import plan_hosts
from scenarios.engine.schema import HostsSpec
from scenarios.fidelity.levels import Played
from scenarios.models.calibration import Calibration
from scenarios.models.claimstorm import storm as model_storm
from scenarios.storms.storm import Storm
from scenarios.storms.virtual import virtual

SETTLE = 60.0
"""Virtual seconds until the managers of a slow API have their leases and caches."""


def refused(storm: Storm, fidelity: Fidelity) -> str:
    """What of the storm this level cannot play, in words; empty if it can."""
    if fidelity == "live":
        return "storm: is played by the model and in virtual time only; use model or code"
    if fidelity == "code" and storm.processor:
        return "storm.processor: in virtual time to compute takes none; use model, or 0s"
    return ""


def play_storm(fidelity: Fidelity, storm: Storm, seed: int) -> Played:
    """Run it once. Raises ValueError for what :func:`refused` names."""
    problem = refused(storm, fidelity)
    if problem:
        raise ValueError(problem)
    now = LiveRuntime().now
    began = now()
    metrics = _model(storm, seed) if fidelity == "model" else _code(storm, seed)
    return Played(fidelity, seed, metrics, now() - began)


def _model(storm: Storm, seed: int) -> dict[str, float | None]:
    found = model_storm(
        storm.mode,
        storm.machines,
        hosts=storm.hosts,
        managers=storm.managers,
        seed=seed,
        algorithm=storm.algorithm,
        times=replace(Calibration(), api=storm.api, processor=storm.processor),
        creators=storm.machines,
    )
    found.pop("claims_per_second")
    return found


def _code(storm: Storm, seed: int) -> dict[str, float | None]:
    row = virtual(
        storm.mode,
        storm.algorithm,
        storm.machines,
        hosts=storm.hosts,
        managers=storm.managers,
        seed=seed,
        latency=storm.api,
        users=storm.api,
        creators=storm.machines,
        names=[plan.name for plan in plan_hosts(HostsSpec(storm.hosts))],
        settle=SETTLE,
    )
    counts: dict[str, float | None] = {
        name: float(row[name]) for name in ("claimed", "conflicts", "conflict_ratio")
    }
    return counts | {f"claim_seconds.{name}": float(row[name]) for name in ("p50", "p95", "p99")}
