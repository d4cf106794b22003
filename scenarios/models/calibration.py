"""The times that the model takes from measured runs: the API's and the reconcilers' share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from beskar7.api.documents import read_file
from beskar7.api.problems import Problems
from emulator.kube.inprocess import LatencyModel
from scenarios.engine.fields import Fields

VERSION = 1
"""Of the file; another one is another set of parameters, or another meaning of them."""
MAX_SECONDS = 60.0
MAX_SIGMA = 5.0
FIGURES = ("mean", "low", "high", "count", "p50", "p95", "what")


@dataclass(frozen=True, slots=True)
class Calibration:
    """Means, in seconds, and of the API the distributions of its times.

    ``api``: each half of a call, and how far a watch is behind a write. ``processor``: of which a
    manager has one for all reconciles: for which one of them needs it. Virtual time has none.
    ``create``: from one machine to the next that a user creates one after the other.
    ``bmc_request``: of each request to a BMC, what it takes beside the BMC's own time.

    ``seen``: from a write of an object to a reconcile that acts on it. ``handoff``: from the claim
    to the moment in which the provisioning queue is asked. ``told``: from the end of an operation
    to what follows from it. ``finish``: from the last look at a BMC to the machine's new phase.

    The defaults are those of the controller in virtual time (``beskar7 calibrate --from code``,
    seeds 1 to 3), whose API has just this latency. ``source`` says in words which run they were
    measured in.
    """

    api: LatencyModel = field(default_factory=LatencyModel)
    processor: float = 0.0
    create: float = 0.0011
    bmc_request: float = 0.0
    seen: float = 0.0069
    handoff: float = 0.0028
    told: float = 0.0006
    finish: float = 0.0028
    source: str = "virtual time"

    @classmethod
    def of(cls, values: Mapping[str, float], source: str) -> Self:
        """From the values by the names of :data:`TIMES`."""
        rest = dict(values)
        api = LatencyModel(rest.pop("api_request"), rest.pop("api_delivery"), rest.pop("api_sigma"))
        return cls(api=api, source=source, **rest)

    @classmethod
    def load(cls, path: Path) -> Self:
        """A file that ``beskar7 calibrate`` wrote.

        Raises :class:`beskar7.api.problems.DocumentError` with file, line and field.
        """
        problems = Problems()
        document = read_file(path)
        top = Fields(document, "", problems, document.where)
        version = top.integer("beskar7_calibration", low=1, high=10**6)
        if not problems.found and version != VERSION:
            top.wrong("beskar7_calibration", f"is {version}, but this is read in version {VERSION}")
        source = _source(top.scalars("measured"))
        times = top.child("times", required=True)
        values = {name: _value(times, name) for name in TIMES}
        times.finish()
        top.finish()
        problems.raise_if_any()
        return cls.of(values, source)

    def values(self) -> dict[str, float]:
        """By the names of :data:`TIMES`."""
        api = {
            "api_request": self.api.request,
            "api_delivery": self.api.delivery,
            "api_sigma": self.api.sigma,
        }
        return {name: api[name] if name in api else getattr(self, name) for name in TIMES}


TIMES: Mapping[str, str] = {
    "api_request": "median of each half of a call to the API: until it is written, and back",
    "api_delivery": "median time after a write at which a watch tells of it",
    "api_sigma": "standard deviation of the logarithm of both (no unit)",
    "processor": "for which a reconcile of a machine needs its manager's processor",
    "create": "from one machine to the next that a user creates one after the other",
    "bmc_request": "of each request to a BMC, what it takes beside the BMC's own time",
    "seen": "from a machine's deletion to the first request of its host's deprovisioning",
    "handoff": "from the claim to the first request of the provisioning",
    "told": "from the end of an operation to what follows from it",
    "finish": "from the last look at a BMC to the machine's phase Provisioned",
}
"""What a calibration consists of, with what each is measured by; seconds but for sigma."""


def _source(known: Mapping[str, str]) -> str:
    parts = [
        f"{known.get('from', 'some')} run of {known.get('scenario', 'something')}",
        f"seed {known.get('seed', '?')}",
        f"{known.get('cores', '?')} cores",
        f"Python {known.get('python', '?')}",
    ]
    if known.get("bottleneck"):
        parts.append(f"measured in spite of a bottleneck: {known['bottleneck']}")
    return ", ".join(parts)


def _value(times: Fields, name: str) -> float:
    entry = times.child(name, required=True)
    for figure in FIGURES:
        entry.node(figure)
    if not times.has(name):
        return 0.0
    high = MAX_SIGMA if name == "api_sigma" else MAX_SECONDS
    value = entry.number("value", low=0.0, high=high)
    entry.finish()
    return float(value)
