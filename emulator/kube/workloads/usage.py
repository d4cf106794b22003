"""What processes and the machine really use, from /proc, in the form of metrics.k8s.io/v1beta1."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from beskar7.api.objects import Object

WINDOW = 15.0
"""Seconds over which processor use is averaged, as metrics-server does."""
API_VERSION = "metrics.k8s.io/v1beta1"
_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def process_cpu(pid: int) -> float | None:
    """Seconds of processor time; None where the system or the process is not there to tell."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def process_memory(pid: int) -> int | None:
    """Resident bytes."""
    try:
        text = (_PROC / str(pid) / "statm").read_text(encoding="ascii")
    except OSError:
        return None
    return int(text.split()[1]) * _PAGE


def machine_cpu() -> float | None:
    """Seconds that all processors together were busy since the machine's start."""
    try:
        first = (_PROC / "stat").read_text(encoding="ascii").partition("\n")[0]
    except OSError:
        return None
    ticks = [int(each) for each in first.split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / _TICKS  # without idle and iowait


def _meminfo() -> dict[str, int]:
    try:
        text = (_PROC / "meminfo").read_text(encoding="ascii")
    except OSError:
        return {}
    pairs = (line.split(":") for line in text.splitlines() if ":" in line)
    return {name: int(rest.split()[0]) * 1024 for name, rest in pairs}


def total_memory() -> int:
    """Bytes of the machine."""
    found = _meminfo().get("MemTotal")
    return found if found else os.sysconf("SC_PHYS_PAGES") * _PAGE


def machine_memory() -> int | None:
    """Bytes in use."""
    found = _meminfo()
    if "MemTotal" not in found:
        return None
    return found["MemTotal"] - found.get("MemAvailable", 0)


@dataclass(slots=True)
class Rate:
    """Processor use out of samples of a counter that only grows."""

    samples: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=16))

    def add(self, now: float, seconds: float) -> None:
        if self.samples and seconds < self.samples[-1][1]:
            self.samples.clear()  # another process
        if not self.samples or now - self.samples[-1][0] >= 1.0:
            self.samples.append((now, seconds))

    def cores(self, now: float, seconds: float) -> float:
        """Cores in use over the last :data:`WINDOW` seconds, or over what is known of them."""
        young = [each for each in self.samples if now - each[0] <= WINDOW and each[0] < now]
        if not young:
            return 0.0
        since, before = young[0]
        return max(0.0, (seconds - before) / (now - since))


def quantities(cores: float, memory: int) -> Object:
    """Nanocores and kibibytes, the units of metrics-server."""
    return {"cpu": f"{int(cores * 1e9)}n", "memory": f"{memory // 1024}Ki"}


def pod_metrics(pod: Object, containers: Iterable[tuple[str, Object]], at: str) -> Object:
    """``containers`` are names and :func:`quantities`; ``at`` is the time as RFC 3339."""
    head = pod["metadata"]
    kept = {name: head[name] for name in ("name", "namespace", "labels") if name in head}
    return {
        "kind": "PodMetrics",
        "apiVersion": API_VERSION,
        "metadata": {**kept, "creationTimestamp": at},
        "timestamp": at,
        "window": f"{WINDOW:g}s",
        "containers": [{"name": name, "usage": used} for name, used in containers],
    }


def node_metrics(node: Object, used: Object, at: str) -> Object:
    head = node["metadata"]
    kept = {name: head[name] for name in ("name", "labels") if name in head}
    return {
        "kind": "NodeMetrics",
        "apiVersion": API_VERSION,
        "metadata": {**kept, "creationTimestamp": at},
        "timestamp": at,
        "window": f"{WINDOW:g}s",
        "usage": used,
    }
