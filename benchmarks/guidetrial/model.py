"""A claim of the guide as data: what it says, what would show it, and when it counts as shown.

A figure is named ``EXPERIMENT:MEASURE``. Every experiment is played with seeds 1, 2, ... so that
two of them are compared on the same luck.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import orjson
import yaml

WORLDS = Path(__file__).with_name("worlds")
Operator = Literal["<", "<=", ">", ">=", "=="]
Verdict = Literal["confirmed", "refuted", "conditional", "cannot be tested here"]
VERDICTS: tuple[Verdict, ...] = ("confirmed", "refuted", "conditional", "cannot be tested here")


@dataclass(frozen=True, slots=True)
class Run:
    """A scenario of ``worlds/``, changed by ``sets``, in virtual time; so many seeds."""

    name: str
    world: str
    sets: tuple[str, ...] = ()
    seeds: int = 3

    @property
    def definition(self) -> object:
        text = (WORLDS / f"{self.world}.yaml").read_text(encoding="utf-8")
        return [yaml.safe_load(text), self.sets]

    def command(self, seed: int) -> str:
        sets = "".join(f" --set '{text}'" for text in self.sets)
        where = f"benchmarks/guidetrial/worlds/{self.world}.yaml"
        return f"beskar7 run {where} --clock virtual --seed {seed}{sets}"


@dataclass(frozen=True, slots=True)
class Storm:
    """Claims alone, as in ``benchmarks/claims.py``: machines at once on 1.2 times as many hosts.

    ``mode``: standard, leader, or shards (every manager claims at once). ``api``: median seconds
    of half a call to the API server; an event of a watch takes four times as long.
    """

    name: str
    mode: str
    machines: int
    managers: int = 3
    hosts: int = 0
    algorithm: str = "deterministic"
    api: float = 0.0005
    config: Mapping[str, str] = field(default_factory=dict)
    seeds: int = 3

    @property
    def definition(self) -> object:
        fields = asdict(self)
        del fields["name"], fields["seeds"]
        return fields


@dataclass(frozen=True, slots=True)
class Lab:
    """Managers as real processes on real sockets: what virtual time cannot tell (memory)."""

    name: str
    hosts: int
    reconciles: int
    seeds: int = 1

    @property
    def definition(self) -> object:
        return [self.hosts, self.reconciles]


@dataclass(frozen=True, slots=True)
class Sum:
    """Figures that follow from the guide's own numbers; ``how`` shows the calculation."""

    name: str
    how: str
    values: Mapping[str, float]


Experiment = Run | Storm | Lab
"""What is played, and kept with the code's state at that time."""


def digest(experiment: Experiment) -> str:
    """Of what is played: a result with another one is of another experiment."""
    told = [type(experiment).__name__, experiment.definition]
    return blake2b(orjson.dumps(told, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Part:
    """``left`` compared with ``factor`` times ``right``: a number or another figure.

    ``unit`` is how both are written: s, %, /s, /min, Mi, m (thousandths of a core), or none.
    """

    says: str
    left: str
    op: Operator
    right: float | str
    factor: float = 1.0
    unit: str = "s"


@dataclass(frozen=True, slots=True)
class Claim:
    """``where``: M main, C configuration, R runbook, I index, T troubleshooting, X tests.

    ``found`` is for a reader in a hurry; ``{EXPERIMENT:MEASURE|unit}`` in it are figures, and it
    is true of the verdict ``found_for`` only. ``shows``: measures of the table of figures,
    whose rows are the experiments of the parts, after those of ``also``.
    """

    id: str
    says: str
    where: str
    found: str
    found_for: Verdict
    parts: tuple[Part, ...] = ()
    shows: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    assumes: str = ""
