"""The words of a kubectl command: kinds, objects, and what is set to which value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from beskar7.api.kinds import (
    BESKAR7_CLUSTER,
    BESKAR7_MACHINE,
    BESKAR7_MACHINE_TEMPLATE,
    CONFIG_MAP,
    LEASE,
    PHYSICAL_HOST,
    SECRET,
    Kind,
)
from beskar7.api.problems import closest
from emulator.kube.workloads.objects import DEPLOYMENT, NODE, POD
from scenarios.engine.rehearsal.kubectl_commands import Place

WORDS: dict[str, Kind] = {
    **dict.fromkeys(("configmap", "configmaps", "cm"), CONFIG_MAP),
    **dict.fromkeys(("deployment", "deployments", "deploy", "deployment.apps"), DEPLOYMENT),
    **dict.fromkeys(("lease", "leases"), LEASE),
    **dict.fromkeys(("node", "nodes", "no"), NODE),
    **dict.fromkeys(("pod", "pods", "po"), POD),
    **dict.fromkeys(("secret", "secrets"), SECRET),
    **{
        word: kind
        for kind in (PHYSICAL_HOST, BESKAR7_MACHINE, BESKAR7_CLUSTER, BESKAR7_MACHINE_TEMPLATE)
        for word in (kind.kind.lower(), kind.plural, kind.qualified)
    },
}
"""The kinds by what kubectl calls them."""
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


def places_of(words: Sequence[str], namespace: str) -> tuple[Place, ...]:
    """``TYPE NAME...`` or ``TYPE/NAME...``. Raises ValueError for anything else."""
    if not words:
        raise ValueError("names no object; write for example deployment/NAME")
    if "/" not in words[0]:
        if len(words) < 2:
            raise ValueError(f"names no object of the kind {words[0]}")
        return tuple(_place(words[0], name, namespace) for name in words[1:])
    pairs = [word.split("/", 1) for word in words if "/" in word]
    if len(pairs) < len(words):
        raise ValueError("either TYPE NAME... or TYPE/NAME..., not both")
    return tuple(_place(kind, name, namespace) for kind, name in pairs)


def kind_of(word: str) -> Kind:
    """Raises ValueError for a kind that a scenario may not touch."""
    kind = WORDS.get(word.lower())
    if kind is None:
        raise ValueError(
            f'the kind "{word}" is not one that a scenario may touch; '
            + closest(word.lower(), WORDS)
        )
    return kind


def _place(word: str, name: str, namespace: str) -> Place:
    kind = kind_of(word)
    for text, what in ((name, "name"), (namespace, "namespace")):
        if len(text) > 253 or not _NAME.fullmatch(text):
            raise ValueError(f'"{text[:80]}" is not the {what} of an object')
    return Place(kind, namespace if kind.namespaced else "", name)


def one_place(words: Sequence[str], namespace: str, *kinds: Kind) -> Place:
    """The only object, of one of ``kinds`` where any are given. Raises ValueError."""
    places = places_of(words, namespace)
    if len(places) > 1:
        raise ValueError(f"names {len(places)} objects; give one")
    if kinds and places[0].kind not in kinds:
        raise ValueError(f"is for {' or '.join(str(kind) for kind in kinds)} only")
    return places[0]


def values_of(words: Iterable[str]) -> dict[str, str | None]:
    """``KEY=VALUE`` and ``KEY-``. Raises ValueError without any."""
    values: dict[str, str | None] = {}
    for word in words:
        key, equals, value = word.partition("=")
        values[key if equals else key.removesuffix("-")] = value if equals else None
    if not values:
        raise ValueError("changes nothing; give KEY=VALUE, or KEY- to take one off")
    return values


def quantities_of(text: str) -> dict[str, str]:
    """``cpu=500m,memory=256Mi``. Raises ValueError."""
    found = {}
    for pair in filter(None, text.split(",")):
        name, _, quantity = pair.partition("=")
        if name not in ("cpu", "memory") or not re.fullmatch(r"[0-9.]+(m|[KMG]i?)?", quantity):
            raise ValueError(f'"{pair[:80]}" has to be such as cpu=500m or memory=256Mi')
        found[name] = quantity
    return found
