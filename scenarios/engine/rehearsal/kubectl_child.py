"""The real kubectl, as a child with the lab's kubeconfig."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import orjson

from scenarios.engine.rehearsal.kubectl_commands import Apply, Kubectl
from scenarios.engine.rehearsal.kubectl_line import ROLLOUT_PATIENCE
from scenarios.engine.rehearsal.kubectl_waits import KubectlError

PATIENCE = ROLLOUT_PATIENCE + 10.0
"""Seconds of wall time until a kubectl that does not end is ended."""
SHOWN = 500
"""Characters of its words in a message."""


def installed() -> str | None:
    """The path of kubectl, None without one."""
    return shutil.which("kubectl")


class KubectlChild:
    """One call. :meth:`run` may be ended from another task by :meth:`stop`."""

    def __init__(self, program: str, kubeconfig: Path, command: Kubectl) -> None:
        meant = command.command
        documents = meant.manifests if isinstance(meant, Apply) else ()
        self._input = b"\n---\n".join(orjson.dumps(manifest) for manifest in documents)
        self._process = subprocess.Popen(  # noqa: S603 # words of the allowed commands, no shell
            [program, *command.arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment(kubeconfig),
            # Ctrl-C is for the scenario, which takes its world down in order.
            start_new_session=True,
        )

    def run(self) -> str:
        """What it said. Raises :class:`KubectlError` with its words when it fails or hangs."""
        try:
            said, _ = self._process.communicate(self._input, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.stop()
            raise KubectlError(f"kubectl did not end within {PATIENCE:g}s") from None
        words = said.decode(errors="replace").strip()
        if self._process.returncode:
            raise KubectlError(words[-SHOWN:] or f"kubectl ended with {self._process.returncode}")
        return words

    def stop(self) -> None:
        """End it. May be called at any time, and twice."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()


def _environment(kubeconfig: Path) -> Mapping[str, str]:
    """Its cache of what the API serves is the lab's own: another lab has the same address."""
    found = {name: value for name, value in os.environ.items() if not name.startswith("KUBE")}
    cache = kubeconfig.parent / "kubectl-cache"
    return found | {"KUBECONFIG": str(kubeconfig), "KUBECACHEDIR": str(cache)}
