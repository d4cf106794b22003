"""The kubectl commands that a scenario may give, as data.

They are those that remedies need: each changes objects, or waits for a rollout. None of them
reads a file of the machine, opens a shell in a pod, or says what a Secret holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from beskar7.api.kinds import Kind
from beskar7.api.objects import Object

PatchForm = Literal["strategic", "merge", "json"]


@dataclass(frozen=True, slots=True)
class Place:
    """An object; ``namespace`` is empty for kinds that have none."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.plural}/{self.name}"


@dataclass(frozen=True, slots=True)
class Patch:
    place: Place
    form: PatchForm
    patch: Any
    subresource: str | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    place: Place
    replicas: int


@dataclass(frozen=True, slots=True)
class RolloutRestart:
    place: Place


@dataclass(frozen=True, slots=True)
class RolloutStatus:
    """Waits until the Deployment's replicas are all new and available; ``timeout`` in seconds."""

    place: Place
    timeout: float


@dataclass(frozen=True, slots=True)
class Delete:
    """The objects, or those that a label ``selector`` finds in the ``namespace``; waits for their
    end unless ``wait`` is False."""

    places: tuple[Place, ...]
    ignore_not_found: bool = False
    wait: bool = True
    kind: Kind | None = None
    namespace: str = ""
    selector: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Annotations or labels (``field``) of an object; None takes one off."""

    place: Place
    field: Literal["annotations", "labels"]
    values: Mapping[str, str | None]
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Apply:
    """``manifests`` come on kubectl's standard input."""

    manifests: tuple[Object, ...]
    namespace: str


@dataclass(frozen=True, slots=True)
class SetEnv:
    """Environment variables of a Deployment's ``container`` (empty: of all); None unsets one."""

    place: Place
    values: Mapping[str, str | None]
    container: str = ""


@dataclass(frozen=True, slots=True)
class SetResources:
    """Limits and requests of a Deployment's ``container`` (empty: of all)."""

    place: Place
    limits: Mapping[str, str] = field(default_factory=dict)
    requests: Mapping[str, str] = field(default_factory=dict)
    container: str = ""


Command = (
    Patch | Scale | RolloutRestart | RolloutStatus | Delete | Mark | Apply | SetEnv | SetResources
)


@dataclass(frozen=True, slots=True)
class Kubectl:
    """``arguments`` are what the real kubectl is given, after its name; ``command`` is what they
    mean."""

    line: str
    arguments: tuple[str, ...]
    command: Command

    def __str__(self) -> str:
        return f"kubectl {self.line}"
