"""What doctor says: findings, each with an identity that does not change, and their sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from importlib import resources
from typing import Any

import yaml

from beskar7.api.meta import rfc3339

MAX_ABOUT = 1000
"""Objects that one finding names at most; its message has the true number."""


class Severity(IntEnum):
    """``NOTICE`` is still healthy: it tells of what is over, or of what may be meant."""

    OK = 0
    NOTICE = 1
    WARNING = 2
    CRITICAL = 3

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class FindingKind:
    """An entry of ``findings.yaml``."""

    severity: Severity
    meaning: str
    action: str


@cache
def catalogue() -> Mapping[str, FindingKind]:
    """All kinds of findings by their ids, in the order of the sections."""
    text = resources.files("beskar7.operations.doctor").joinpath("findings.yaml").read_text("utf-8")
    return {
        name: FindingKind(Severity[entry["severity"].upper()], entry["meaning"], entry["action"])
        for name, entry in yaml.safe_load(text).items()
    }


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation: what it is (``id``), what was seen, of whom, and what to do."""

    id: str
    severity: Severity
    message: str
    action: str
    about: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "severity": self.severity.word,
            "message": self.message,
            "action": self.action,
            "about": list(self.about),
        }


def finding(id: str, namespace: str, message: str, about: Sequence[str] = ()) -> Finding:
    """Of a kind in the catalogue; ``namespace`` is the controller's."""
    kind = catalogue()[id]
    action = kind.action.format(namespace=namespace)
    return Finding(id, kind.severity, message, action, tuple(about[:MAX_ABOUT]))


@dataclass(frozen=True, slots=True)
class Section:
    """One subject: a line for people, the facts behind it, and what was found."""

    name: str
    line: str
    facts: Mapping[str, Any]
    findings: tuple[Finding, ...] = ()

    @property
    def severity(self) -> Severity:
        return max((each.severity for each in self.findings), default=Severity.OK)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "severity": self.severity.word,
            "line": self.line,
            "facts": dict(self.facts),
        }


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``at`` is UTC seconds by the API server's clock; ``window`` says what rates are over."""

    at: float
    namespace: str
    window: str
    sections: tuple[Section, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The worst first, else in the order of the sections."""
        found = [each for section in self.sections for each in section.findings]
        return tuple(sorted(found, key=lambda each: -each.severity))

    @property
    def severity(self) -> Severity:
        return max((section.severity for section in self.sections), default=Severity.OK)

    @property
    def healthy(self) -> bool:
        """Nothing is worse than a notice."""
        return self.severity <= Severity.NOTICE

    def has(self, id: str) -> bool:
        """Whether a finding of this id is there. Raises ValueError for an id of no kind."""
        if id not in catalogue():
            raise ValueError(f"{id!r} is no finding of doctor")
        return any(each.id == id for each in self.findings)

    def to_json(self) -> dict[str, Any]:
        return {
            "at": rfc3339(self.at),
            "namespace": self.namespace,
            "window": self.window,
            "severity": self.severity.word,
            "healthy": self.healthy,
            "findings": [each.to_json() for each in self.findings],
            "sections": [each.to_json() for each in self.sections],
        }
