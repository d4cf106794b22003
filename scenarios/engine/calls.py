"""What the managers' clients saw of their calls: what was asked when, and which answer came when.

The API's write log says what was done; whether its client ever learned of it only the client's
side can tell. Only virtual time has these: there the clients are in this process.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from beskar7.api.errors import ApiError
from beskar7.api.kinds import BESKAR7_MACHINE, EVENT, HOST_CLAIM, LEASE, PHYSICAL_HOST, Kind
from beskar7.api.objects import Object
from beskar7.runtime import Runtime
from emulator.kube.inprocess import InProcessKube
from emulator.kube.store.store import Store
from scenarios.engine.history import consumer_uid, dig

RECORDED = frozenset({PHYSICAL_HOST, BESKAR7_MACHINE, HOST_CLAIM, EVENT, LEASE})
"""The kinds whose writes are recorded; of PhysicalHosts also the reads of one."""
CLAIMED_BY = "beskar7.io/claimed-by"
"""Annotation of a host: the machine that claimed it last, as namespace/name."""
NO_ANSWER = math.inf
"""The ``end`` of a call whose client died while it waited."""


@dataclass(frozen=True, slots=True)
class Call:
    """Times are ``runtime.now()``. ``outcome`` is ``ok``, a refusal's reason, or "" without an
    answer. ``owner`` and ``claimed_by`` are of the host that was sent, or read; ``sent`` is the
    resourceVersion in the request, ``version`` that in the answer."""

    client: str
    verb: str
    kind: str
    name: str
    uid: str
    start: float
    end: float
    outcome: str
    sent: str
    version: str
    owner: str
    claimed_by: str


class RecordedKube(InProcessKube):
    """A client that notes its calls in ``calls``, which others may share; the rest is as there."""

    def __init__(
        self, store: Store, runtime: Runtime, *, calls: list[Call], **options: Any
    ) -> None:
        super().__init__(store, runtime, **options)
        self.calls = calls

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object:
        if kind != PHYSICAL_HOST:
            return super().get(kind, namespace, name)
        return self._noted(
            "get", kind, name, {}, lambda: super(RecordedKube, self).get(kind, namespace, name)
        )

    def create(self, kind: Kind, obj: Object, *, dry_run: bool = False) -> Object:
        def run() -> Object:
            return super(RecordedKube, self).create(kind, obj, dry_run=dry_run)

        return self._noted("create", kind, str(dig(obj, "metadata", "name") or ""), obj, run)

    def update(self, kind: Kind, obj: Object) -> Object:
        name = str(dig(obj, "metadata", "name") or "")
        return self._noted(
            "update", kind, name, obj, lambda: super(RecordedKube, self).update(kind, obj)
        )

    def update_status(self, kind: Kind, obj: Object) -> Object:
        name = str(dig(obj, "metadata", "name") or "")
        return self._noted(
            "update_status",
            kind,
            name,
            obj,
            lambda: super(RecordedKube, self).update_status(kind, obj),
        )

    def patch(
        self,
        kind: Kind,
        namespace: str | None,
        name: str,
        patch: Any,
        *,
        type: Literal["merge", "json"] = "merge",
        subresource: str | None = None,
    ) -> Object:
        return self._noted(
            "patch",
            kind,
            name,
            patch,
            lambda: super(RecordedKube, self).patch(
                kind, namespace, name, patch, type=type, subresource=subresource
            ),
        )

    def _noted(
        self, verb: str, kind: Kind, name: str, sent: Any, call: Callable[[], Object]
    ) -> Object:
        if kind not in RECORDED:
            return call()
        start = self._runtime.now()
        answer: Object | None = None
        outcome = ""
        try:
            answer = call()
            outcome = "ok"
            return answer
        except ApiError as error:
            outcome = error.reason
            raise
        finally:
            seen = sent if verb != "get" else answer
            self.calls.append(
                Call(
                    self.client,
                    verb,
                    kind.kind,
                    name,
                    str(dig(answer or sent, "metadata", "uid") or ""),
                    start,
                    self._runtime.now() if outcome else NO_ANSWER,
                    outcome,
                    str(dig(sent, "metadata", "resourceVersion") or ""),
                    str(dig(answer, "metadata", "resourceVersion") or ""),
                    consumer_uid(seen) if kind == PHYSICAL_HOST else "",
                    str(dig(seen, "metadata", "annotations", CLAIMED_BY) or ""),
                )
            )
