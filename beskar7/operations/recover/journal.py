"""What a recovery has done and has to restore, in the ConfigMap ``beskar7-recovery``.

It stands in the cluster, so that whoever runs the command next carries on, on any machine. Every
write of it is conditional; who takes over signs it, and the former one's next write finds that.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from beskar7.api.errors import AlreadyExists, Conflict, NotFound
from beskar7.api.kinds import CONFIG_MAP
from beskar7.api.meta import rfc3339
from beskar7.api.objects import Object
from beskar7.manifests.objects import LABELS
from beskar7.operations.cluster import Cluster
from beskar7.operations.waiting import NotReached, patiently

NAME = "beskar7-recovery"
PATIENCE = 60.0
"""Seconds that a write of the journal waits for an API server that fails."""


class RecoveryRefused(Exception):
    """Nothing was changed; ``args[0]`` says why, and what to do."""


class TakenOver(NotReached):
    """Somebody else carries this recovery on."""


@dataclass(slots=True)
class Record:
    """``under_way`` is the step that has begun and is not in ``done`` yet."""

    procedure: str
    started: str
    saved: dict[str, Any]
    done: list[str] = field(default_factory=list)
    under_way: str = ""


class Journal:
    """One recovery in a namespace at a time."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._signature = f"{cluster.runtime.rng('recovery-signature').getrandbits(32):08x}"
        self._held: Object | None = None

    def read(self) -> Record | None:
        """The recovery that is under way. Raises RecoveryRefused when nobody can read it."""
        try:
            held = self._cluster.kube.get(CONFIG_MAP, self._cluster.namespace, NAME)
        except NotFound:
            return None
        self._held = held
        data = held.get("data") or {}
        try:
            return Record(
                procedure=str(data["procedure"]),
                started=str(data["started"]),
                saved=dict(json.loads(data["saved"])),
                done=[str(name) for name in json.loads(data["done"])],
                under_way=str(data["underWay"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RecoveryRefused(
                f"ConfigMap {self._cluster.namespace}/{NAME}: {type(error).__name__} in its data "
                f"({error}); it is not as a recovery left it. Look what it says, restore that by "
                "hand, and delete it"
            ) from None

    def begin(self, procedure: str, saved: dict[str, Any]) -> Record:
        """Raises RecoveryRefused when another recovery was begun meanwhile, and NotReached."""
        record = Record(procedure, rfc3339(self._cluster.runtime.wall()), saved)
        made: Object = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": NAME,
                "namespace": self._cluster.namespace,
                "labels": dict(LABELS),
            },
            "data": self._data(record),
        }

        def create() -> Object:
            try:
                return self._cluster.kube.create(CONFIG_MAP, made)
            except AlreadyExists:
                found = self._cluster.kube.get(CONFIG_MAP, self._cluster.namespace, NAME)
                if self._signed(found):
                    return found  # ours, whose answer was lost
                raise RecoveryRefused("another recovery was begun just now") from None

        self._held = self._patiently(create)
        return record

    def take_over(self, record: Record) -> None:
        """Sign what ``read`` found. Raises NotReached."""
        self.write(record)

    def write(self, record: Record) -> None:
        """Raises TakenOver when somebody else has signed it since, and NotReached."""
        data = self._data(record)

        def update() -> Object:
            held = self._held
            assert held is not None
            try:
                return self._cluster.kube.update(CONFIG_MAP, {**held, "data": data})
            except Conflict:
                found = self._cluster.kube.get(CONFIG_MAP, self._cluster.namespace, NAME)
                if not self._signed(found):
                    raise TakenOver("somebody else carries this recovery on") from None
                self._held = found  # ours, whose answer was lost; or a label was put on it
                return (
                    found
                    if found["data"] == data
                    else self._cluster.kube.update(CONFIG_MAP, {**found, "data": data})
                )
            except NotFound:
                raise TakenOver("somebody else has ended this recovery") from None

        self._held = self._patiently(update)

    def end(self) -> None:
        """Nothing is left to restore. Raises TakenOver and NotReached."""
        held = self._held
        assert held is not None
        version = held["metadata"]["resourceVersion"]

        def delete() -> None:
            try:
                self._cluster.kube.delete(
                    CONFIG_MAP, self._cluster.namespace, NAME, resource_version=version
                )
            except NotFound:
                pass  # ours, whose answer was lost
            except Conflict:
                raise TakenOver("somebody else carries this recovery on") from None

        self._patiently(delete)

    def _patiently(self, call: Callable[[], Any]) -> Any:
        return patiently(self._cluster, call, PATIENCE)

    def _signed(self, found: Object) -> bool:
        return (found.get("data") or {}).get("signature") == self._signature

    def _data(self, record: Record) -> dict[str, str]:
        return {
            "procedure": record.procedure,
            "started": record.started,
            "saved": json.dumps(record.saved, sort_keys=True),
            "done": json.dumps(record.done),
            "underWay": record.under_way,
            "signature": self._signature,
        }
