"""A storm as a file says it: how many machines, on which hosts, claimed in which way."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from beskar7.api.documents import Node
from beskar7.api.problems import Problems
from beskar7.config import KEYS, read_setting
from emulator.kube.inprocess import LatencyModel
from scenarios.engine.fields import Fields
from scenarios.models.calibration import MAX_SECONDS, MAX_SIGMA
from scenarios.models.claimstorm import MODES, Mode

KEY = "storm"
"""What a document of a storm has instead of a scenario's fields."""
MAX_MACHINES = 5000
MAX_MANAGERS = 20
ALGORITHM = "hostSelection.algorithm"


@dataclass(frozen=True, slots=True)
class Storm:
    """``machines`` that come at one instant. ``hosts_per_machine``: how many hosts there are.

    ``mode``: who claims (:data:`scenarios.models.claimstorm.MODES`). ``api``: between it and all
    who call it. ``processor``: seconds of a manager's one processor for a reconcile.
    """

    machines: int
    hosts_per_machine: float = 1.2
    managers: int = 5
    mode: Mode = "standard"
    algorithm: str = "deterministic"
    api: LatencyModel = field(default_factory=LatencyModel)
    processor: float = 0.0

    @property
    def hosts(self) -> int:
        return math.ceil(self.machines * self.hosts_per_machine)


def is_storm(document: Node) -> bool:
    return isinstance(document.value, dict) and KEY in document.mapping


def read_storm(document: Node) -> Storm:
    """Raises :class:`beskar7.api.problems.DocumentError` with file, line and field."""
    problems = Problems()
    top = Fields(document, "", problems, document.where)
    of = top.child(KEY, required=True)
    plain = Storm(1)
    api = of.child("api")
    storm = Storm(
        machines=of.integer("machines", low=1, high=MAX_MACHINES),
        hosts_per_machine=of.number("hosts_per_machine", plain.hosts_per_machine, low=1, high=100),
        managers=of.integer("managers", plain.managers, low=1, high=MAX_MANAGERS),
        mode=of.choice("mode", MODES, plain.mode),
        algorithm=of.text("algorithm", plain.algorithm),
        api=LatencyModel(
            api.duration("request", plain.api.request, high=MAX_SECONDS),
            api.duration("delivery", plain.api.delivery, high=MAX_SECONDS),
            api.number("sigma", plain.api.sigma, high=MAX_SIGMA),
        ),
        processor=of.duration("processor", plain.processor, high=MAX_SECONDS),
    )
    assert ALGORITHM in KEYS
    try:
        read_setting(ALGORITHM, storm.algorithm)
    except ValueError as error:
        of.wrong("algorithm", str(error))
    for each in (api, of, top):
        each.finish()
    problems.raise_if_any()
    return storm
