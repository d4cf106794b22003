"""A store as a cluster begins with it: the server's controllers, namespaces, the CRDs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson
import yaml

import beskar7.api
from beskar7.api.errors import ApiError
from beskar7.api.kinds import CRD, NAMESPACE
from beskar7.runtime import Runtime
from emulator.kube import kinds
from emulator.kube.store.collector import Collector
from emulator.kube.store.pipeline import Call
from emulator.kube.store.store import Store
from emulator.privatefiles import load_yaml

NAMESPACES = ("default", "kube-system", "beskar7-system")
CRD_DIRECTORY = Path(beskar7.api.__file__).with_name("crds")
CAPI_DIRECTORY = Path(kinds.__file__).with_name("crds")
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
    restore: Callable[[Store], object] | None = None,
    **bounds: Any,
) -> tuple[Store, Collector]:
    """A store with collector, namespaces and CRDs; ``bounds`` go to :class:`Store`.

    ``crds`` are YAML files, by default :func:`default_crds`. ``restore`` fills the store with
    what an earlier process left; namespaces and CRDs are then added where they are missing, and
    CRDs brought up to date. Raises :class:`BadDefinition`.
    """
    store = Store(runtime, **bounds)
    collector = Collector(store)
    if restore is not None:
        restore(store)
    call = Call(client=_CLIENT)
    for name in namespaces:
        if not store.exists(NAMESPACE, None, name):
            store.create(NAMESPACE, {"metadata": {"name": name}}, call=call)
    for path in default_crds() if crds is None else crds:
        load_crds(store, path)
    return store, collector


def default_crds() -> list[Path]:
    """The controller's own kinds, and those of Cluster API that it works with."""
    return [*sorted(CRD_DIRECTORY.glob("*.yaml")), *sorted(CAPI_DIRECTORY.glob("*.yaml"))]


def load_crds(store: Store, path: Path) -> None:
    """Register all CustomResourceDefinitions of a YAML file. Raises :class:`BadDefinition`."""
    try:
        documents = _documents(path, path.stat().st_mtime_ns)
    except (OSError, TypeError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadDefinition(f"{path}: {error}") from error
    for document in orjson.loads(documents):
        if document is None:
            continue
        try:
            _define(store, document)
        except ApiError as error:
            raise BadDefinition(f"{path}: {error.message}") from error


@functools.lru_cache(maxsize=64)
def _documents(path: Path, written: int) -> bytes:
    """A file's documents as JSON, read once for all the stores of a process.

    Raises what :func:`load_yaml` does, and TypeError for what JSON has no form for.
    """
    return orjson.dumps(load_yaml(path))


def _define(store: Store, document: Any) -> None:
    """Create the definition, or give the one that was restored the spec of today."""
    call = Call(client=_CLIENT)
    name = document.get("metadata", {}).get("name", "") if isinstance(document, dict) else ""
    if not store.exists(CRD, None, name):
        store.create(CRD, document, call=call)
        return
    today = store.get(CRD, None, name).copy() | {"spec": document.get("spec")}
    store.update(CRD, today, call=call)
