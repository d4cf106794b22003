"""The tuning as it is now: flags, then the ConfigMap ``beskar7-config``, then defaults.

Every manager follows it, leader or not. What cannot be taken is refused as a whole: the last good
values stay, and an Event on the ConfigMap, the log, a metric and ``/debug/config`` say why.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from beskar7.api.kinds import CONFIG_MAP
from beskar7.api.meta import View
from beskar7.api.objects import copy_json
from beskar7.config import CONFIG_MAP_NAME, KEYS, ConfigError, Tuning
from beskar7.effective import changes, effective
from beskar7.kube.informers import SharedCaches
from beskar7.kube.port import Kube, Object
from beskar7.kube.recorder import Recorder
from beskar7.metrics import Metrics
from beskar7.runtime import Runtime
from beskar7.settings import ManagerSettings

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds that a start waits for the ConfigMap; then it goes on with flags and defaults."""

Listener = Callable[[Tuning], None]


class Configuration:
    """``speaks`` says whether this manager is the one to record Events about it."""

    def __init__(
        self,
        runtime: Runtime,
        kube: Kube,
        settings: ManagerSettings,
        recorder: Recorder,
        metrics: Metrics,
        speaks: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._recorder = recorder
        self._valid = metrics.configuration_valid
        self._speaks = speaks
        self._caches = SharedCaches(
            kube, runtime, settings.namespace, owner=f"{settings.identity}/configuration"
        )
        self._caches.cache(CONFIG_MAP).on_change(self._changed)
        self._listeners: dict[Listener, None] = {}
        self.tuning = settings.tuned({})
        self.problem = ""
        """What the ConfigMap is refused for; empty when it is taken."""
        self._version = ""

    def start(self) -> None:
        """Read it, for at most :data:`PATIENCE` seconds, and follow it from then on."""
        self._valid.set(1)
        self._caches.start()
        if not self._caches.wait_synced(PATIENCE):
            why = "; ".join(f"{kind}: {text}" for kind, text in self._caches.unsynced().items())
            log.warning("beginning without ConfigMap %s: %s", CONFIG_MAP_NAME, why)

    def stop(self, timeout: float) -> None:
        self._caches.stop(timeout)

    def subscribe(self, listener: Listener) -> None:
        """Call ``listener`` with each new tuning, from the task that reads it."""
        self._listeners[listener] = None

    def unsubscribe(self, listener: Listener) -> None:
        self._listeners.pop(listener, None)

    def shown(self) -> dict[str, Any]:
        """For people: what is in force, whence, and what is wrong."""
        fixed = self._settings.fixed
        return {
            "effective": effective(self.tuning),
            "fixedByFlags": [key for key, (name, _) in KEYS.items() if name in fixed],
            "configMap": {
                "name": f"{self._settings.namespace}/{CONFIG_MAP_NAME}",
                "resourceVersion": self._version,
                "valid": not self.problem,
                "problem": self.problem,
            },
        }

    def _changed(self, old: Object | None, new: Object | None) -> None:
        view = View(new or old or {})
        if view.name != CONFIG_MAP_NAME:
            return
        self._version = view.resource_version if new else ""
        try:
            tuning = self._settings.tuned((new or {}).get("data") or {})
        except ConfigError as error:
            self.problem = str(error)
            self._valid.set(0)
            log.error("ConfigMap %s is invalid, keeping the last good values: %s", view.key, error)
            if self._speaks():
                self._recorder.event(
                    copy_json(view.raw), "Warning", "InvalidConfiguration", self.problem[:1000]
                )
            return
        self.problem = ""
        self._valid.set(1)
        if tuning == self.tuning:
            return
        changed = changes(self.tuning, tuning)
        self.tuning = tuning
        log.info("tuning: %s", ", ".join(changed))
        for listener in list(self._listeners):
            listener(tuning)
