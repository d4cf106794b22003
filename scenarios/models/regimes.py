"""Whether a run ends because its load does, or shows a state that could go on for ever.

Law, Simulation Modeling and Analysis (5th edition, 2014), 9.2 to 9.5: of a terminating run all
observations count, as it began; of a steady state those after the warm-up, up to a fixed horizon.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from scenarios.engine.measures import summarize
from scenarios.engine.schema import Scenario
from scenarios.models.estimates import Regime, warm_up
from scenarios.models.modelmachine import ModelMachine

STREAMS: tuple[Literal["poisson", "constant"], ...] = ("poisson", "constant")
"""Arrivals whose rate is the same at all times."""


def regime_of(scenario: Scenario) -> Regime:
    """Steady-state where machines come at one rate and go again, and nothing else happens.

    A batch, a day with its peak, a recorded trace, acts and faults: what they show ends with them.
    Machines that stay fill the hosts up, which ends, too.
    """
    load = scenario.load
    if load.arrivals.process not in STREAMS or load.lifetime is None:
        return "terminating"
    return "terminating" if scenario.played or scenario.faults else "steady-state"


def settled(machines: Sequence[ModelMachine]) -> list[ModelMachine]:
    """Of a steady-state run the machines that came after its warm-up and until its horizon.

    The warm-up is over when the time until a machine is ready has settled (MSER-5); none are left
    where it never does, so that the run was too short. The horizon is the moment from which on
    those who come would not be ready before the last arrival: after that the system empties.
    """
    reached = [one for one in machines if one.provisioned is not None and one.claimed is not None]
    reached.sort(key=lambda one: (one.created, one.number))
    took = [_ready(one) for one in reached]
    if not took:
        return []
    horizon = max(one.created for one in machines) - max(took)
    return [one for one in reached[warm_up(took) :] if one.created <= horizon]


def settled_times(machines: Sequence[ModelMachine]) -> dict[str, float | None]:
    """``claim_seconds.*`` and ``ready_seconds.*`` of those that :func:`settled` leaves."""
    chosen = [one for one in settled(machines) if not one.waited]
    times = {
        "claim_seconds": [(one.claimed or 0.0) - one.eligible for one in chosen],
        "ready_seconds": [_ready(one) for one in chosen],
    }
    return {
        f"{name}.{key}": value
        for name, values in times.items()
        for key, value in summarize(values).items()
    }


def _ready(machine: ModelMachine) -> float:
    return (machine.provisioned or 0.0) - machine.created
