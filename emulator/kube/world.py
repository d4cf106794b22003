"""A store as a cluster begins with it: the server's controllers, namespaces, the CRDs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

import beskar7.api
from beskar7.api.errors import ApiError
from beskar7.api.kinds import CRD, NAMESPACE
from beskar7.runtime import Runtime
from emulator.kube.collector import Collector
from emulator.kube.pipeline import Call
from emulator.kube.store import Store

NAMESPACES = ("default", "kube-system", "beskar7-system")
CRD_DIRECTORY = Path(beskar7.api.__file__).with_name("crds")
_CLIENT = "kube-apiserver/bootstrap"


class BadDefinition(ValueError):
    """A CRD file cannot be used; ``args[0]`` says which and why."""


def new_store(runtime: Runtime, **options: Any) -> Store:
    """:func:`furnish` for who needs no hold of the collector."""
    return furnish(runtime, **options)[0]


def furnish(
    runtime: Runtime,
    *,
    crds: Iterable[Path] | None = None,
    namespaces: Sequence[str] = NAMESPACES,
    **bounds: int,
) -> tuple[Store, Collector]:
    """A store with collector, namespaces and CRDs; ``bounds`` go to :class:`Store`.

    ``crds`` are YAML files, by default those of the controller. Raises :class:`BadDefinition`.
    """
    store = Store(runtime, **bounds)
    collector = Collector(store)
    call = Call(client=_CLIENT)
    for name in namespaces:
        store.create(NAMESPACE, {"metadata": {"name": name}}, call=call)
    for path in sorted(CRD_DIRECTORY.glob("*.yaml")) if crds is None else crds:
        load_crds(store, path)
    return store, collector


def load_crds(store: Store, path: Path) -> None:
    """Register all CustomResourceDefinitions of a YAML file. Raises :class:`BadDefinition`."""
    try:
        documents: list[Any] = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadDefinition(f"{path}: {error}") from error
    for document in documents:
        if document is None:
            continue
        try:
            store.create(CRD, document, call=Call(client=_CLIENT))
        except ApiError as error:
            raise BadDefinition(f"{path}: {error.message}") from error
