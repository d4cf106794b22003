"""What came of one run of the model, in the measures of a run of the code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from scenarios.engine.measures import summarize
from scenarios.models.estimates import Regime
from scenarios.models.modelmachine import ModelMachine
from scenarios.models.regimes import settled_times

TIMES = (
    *("claim", "waited_claim", "total_claim", "provision", "ready", "total_ready"),
    *("release", "queue"),
)
"""Measures of machines, without their ``_seconds``."""


@dataclass(frozen=True, slots=True)
class ModelRun:
    """``metrics`` by the names of :mod:`scenarios.engine.measure_names`, as far as the model knows
    them. ``seconds``: from the load's start to rest. They are of the whole run, whatever its
    ``regime``, as those of the code are."""

    metrics: dict[str, float | None]
    seconds: float
    machines: list[ModelMachine] = field(repr=False)
    regime: Regime = "terminating"

    @property
    def settled(self) -> dict[str, float | None]:
        """The times of a steady-state run without its warm-up and its end; None where it was too
        short to settle. Of a terminating run all machines count."""
        if self.regime == "terminating":
            return self.metrics
        return settled_times(self.machines)


def counts(machines: Sequence[ModelMachine]) -> dict[str, float]:
    """Of machines, by what became of them."""
    return {
        "machines_created": float(len(machines)),
        "machines_deleted": float(sum(one.deleted is not None for one in machines)),
        "claimed": float(sum(one.claimed is not None for one in machines)),
        "provisioned": float(sum(one.provisioned is not None for one in machines)),
        "released": float(sum(one.released is not None for one in machines)),
        "unserved": float(sum(one.provisioned is None and one.deleted is None for one in machines)),
    }


def times_of(machines: Sequence[ModelMachine]) -> dict[str, float | None]:
    """Statistics of all their times, in seconds."""
    found: dict[str, list[float]] = {f"{name}_seconds": [] for name in TIMES}
    for one in machines:
        if one.claimed is not None:
            name = "waited_claim_seconds" if one.waited else "claim_seconds"
            found[name].append(one.claimed - one.eligible)
            found["total_claim_seconds"].append(one.claimed - one.created)
            if one.written is not None:
                found["queue_seconds"].append(one.written - one.claimed)
            if one.provisioned is not None:
                found["provision_seconds"].append(one.provisioned - one.claimed)
                found["total_ready_seconds"].append(one.provisioned - one.created)
                if not one.waited:
                    found["ready_seconds"].append(one.provisioned - one.created)
        if one.deleted is not None and one.released is not None:
            found["release_seconds"].append(one.released - one.deleted)
    return {
        statistic: value
        for name, values in found.items()
        for statistic, value in summarized(name, values).items()
    }


def summarized(name: str, values: Sequence[float]) -> dict[str, float | None]:
    """Statistics of one measure, by the names that they have in a run."""
    return {f"{name}.{key}": value for key, value in summarize(values).items()}
