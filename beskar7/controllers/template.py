"""Reconciles Beskar7MachineTemplates: one in use stays, however often it is deleted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from beskar7.api.clusters import TEMPLATE_FINALIZER, MachineTemplate
from beskar7.api.kinds import BESKAR7_MACHINE_TEMPLATE
from beskar7.api.meta import ObjectKey
from beskar7.api.resources import Beskar7Machine
from beskar7.controllers.environment import Environment
from beskar7.kube.controller import Result

log = logging.getLogger(__name__)

SHOWN = 3
"""Machines that the event names."""


class TemplateReconciler:
    """``template`` and ``clones`` (the machines made from a template) read caches."""

    def __init__(
        self,
        env: Environment,
        template: Callable[[ObjectKey], MachineTemplate | None],
        clones: Callable[[ObjectKey], Sequence[Beskar7Machine]],
    ) -> None:
        self._env = env
        self._template = template
        self._clones = clones

    def reconcile(self, key: ObjectKey) -> Result:
        cached = self._template(key)
        if cached is None or cached.paused:
            return Result()
        template = self._env.copy(cached)
        if not template.deleting:
            if template.add_finalizer(TEMPLATE_FINALIZER):
                self._env.kube.update(BESKAR7_MACHINE_TEMPLATE, template.raw)
            return Result()
        if not template.has_finalizer(TEMPLATE_FINALIZER):
            return Result()
        clones = sorted(machine.name for machine in self._clones(key))
        if clones:
            # The end of a machine wakes us; a Cluster API that rolls out needs its template.
            more = f" and {len(clones) - SHOWN} more" if len(clones) > SHOWN else ""
            text = f"Deletion waits for {', '.join(clones[:SHOWN])}{more}"
            log.info("template %s is in use: %s", key, text)
            self._env.recorder.event(template.raw, "Normal", "TemplateInUse", text)
            return Result()
        template.remove_finalizer(TEMPLATE_FINALIZER)
        self._env.kube.update(BESKAR7_MACHINE_TEMPLATE, template.raw)
        return Result()
