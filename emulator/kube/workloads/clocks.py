"""Wall clocks of pods, put wrong as the faults of kind ``clock-skew`` say."""

from __future__ import annotations

from pathlib import Path

import orjson

from beskar7.runtime.skew import ENVIRONMENT
from emulator.kube.faults.faults import ApiFaults
from emulator.privatefiles import write_private

AGENT = "beskar7-manager/"
"""What a manager's User-Agent begins with; its identity follows, which is its pod's name."""


class PodClocks:
    """Keeps a file of windows for each pod, which the runtime of its process follows."""

    def __init__(self, faults: ApiFaults) -> None:
        self._faults = faults
        self._pods: dict[Path, str] = {}
        faults.acted_out.add("clock-skew")
        faults.subscribe(self._write_all)

    def follow(self, pod: str, path: Path) -> dict[str, str]:
        """Keep the pod's file at ``path`` until :meth:`forget`; the environment that names it."""
        self._pods[path] = pod
        self._write(path, pod)
        return {ENVIRONMENT: str(path)}

    def forget(self, path: Path) -> None:
        self._pods.pop(path, None)

    def _write_all(self) -> None:
        for path, pod in self._pods.items():
            self._write(path, pod)

    def _write(self, path: Path, pod: str) -> None:
        windows = self._faults.skews_of(AGENT + pod)
        write_private(path, orjson.dumps([window.to_json() for window in windows]))
