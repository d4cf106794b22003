"""What all reconcilers of one term of leadership share."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from beskar7.api import conditions
from beskar7.api.errors import ApiError
from beskar7.api.kinds import Kind
from beskar7.api.meta import ObjectKey, View
from beskar7.api.objects import Object, copy_json
from beskar7.config import Tuning
from beskar7.kube.port import Kube
from beskar7.kube.recorder import Recorder
from beskar7.metrics import Metrics
from beskar7.runtime import Runtime
from beskar7.tracing import NoTracer, Tracer

log = logging.getLogger(__name__)

V = TypeVar("V", bound=View)


@dataclass(frozen=True, slots=True)
class Environment:
    """``kube`` is fenced: it refuses writes once this term of leadership is over. What it writes
    is in the caches at once.

    ``observe`` shows the caches an object that was read past them.
    ``tuning`` gives the settings as they are now; they may change while the manager runs.
    """

    runtime: Runtime
    kube: Kube
    recorder: Recorder
    metrics: Metrics
    tuning: Callable[[], Tuning]
    observe: Callable[[Kind, Object], None]
    tracer: Tracer = field(default_factory=NoTracer)

    def look(self, kind: Kind, key: ObjectKey) -> Object:
        """The object as the server has it, which the caches see, too. Raises ApiError."""
        raw = self.kube.get(kind, key.namespace, key.name)
        self.observe(kind, raw)
        return raw

    def look_again(self, kind: Kind, key: ObjectKey) -> None:
        """After a conflict: the cache may have missed an event, and would not know until the next
        list."""
        try:
            self.look(kind, key)
        except ApiError as error:
            log.info("%s %s had a conflict, and cannot be read: %s", kind.kind, key, error)

    @staticmethod
    def copy(view: V) -> V:
        """A view of one's own: objects in caches are shared and must not be changed."""
        return type(view)(copy_json(view.raw))

    def condition(
        self,
        view: View,
        type: str,
        value: bool,
        reason: str = "",
        message: str = "",
        severity: conditions.Severity = "",
    ) -> bool:
        """Set a condition in the view's status, as of now; True when anything changed."""
        return conditions.set_condition(
            view.status,
            type,
            value,
            self.runtime.wall(),
            reason=reason,
            message=message,
            severity=severity,
        )
