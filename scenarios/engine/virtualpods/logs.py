"""What each manager logs in virtual time: its pod's log, with the times of its own clock."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from beskar7.logs import ConsoleFormatter, JsonFormatter, LogSettings
from beskar7.runtime.virtual import VirtualProcess
from beskar7.tracing import SubjectFilter

LINES = 20_000
"""Of a pod that are kept."""
OWN, BORROWED = "beskar7", "sushy"
"""Loggers of a manager: its own, and its BMC client's, of which warnings are heard."""

Speaker = Callable[[], tuple[VirtualProcess, str, LogSettings] | None]
"""Who runs at this moment: process, pod, how it is to log; None if it is no manager."""


class _Before(NamedTuple):
    """The logger as it was before the first world listened."""

    level: int
    effective: int
    propagate: bool


_attached: list[PodLogs] = []
_before: list[_Before] = []


class PodLogs(logging.Handler):
    """Hears the managers from :meth:`attach` to :meth:`close`, beside whoever hears them else."""

    def __init__(self, speaker: Speaker) -> None:
        super().__init__()
        self._speaker = speaker
        self._lines: dict[str, deque[tuple[float, str]]] = {}
        self.addFilter(SubjectFilter())

    def attach(self) -> None:
        """What is below the level that was asked for so far goes to the pods' logs alone."""
        own = logging.getLogger(OWN)
        if not _attached:
            _before.append(_Before(own.level, own.getEffectiveLevel(), own.propagate))
            own.setLevel(logging.DEBUG)
            own.propagate = False
        _attached.append(self)
        for name in (OWN, BORROWED):
            logging.getLogger(name).addHandler(self)

    def close(self) -> None:
        if self in _attached:
            for name in (OWN, BORROWED):
                logging.getLogger(name).removeHandler(self)
            _attached.remove(self)
            if not _attached:
                own = logging.getLogger(OWN)
                before = _before.pop()
                own.setLevel(before.level)
                own.propagate = before.propagate
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        # Worlds may overlap; one of them passes on what others than pods are to hear.
        if self is _attached[0] and record.name.startswith(OWN):
            before, root = _before[0], logging.getLogger()
            # Without a handler there Python would print it.
            if root.handlers and before.propagate and record.levelno >= before.effective:
                root.handle(record)
        found = self._speaker()
        if found is None:
            return
        process, pod, settings = found
        if record.levelno < logging.getLevelName(settings.level.upper()):
            return
        told = logging.makeLogRecord(record.__dict__)
        told.created = process.wall()
        for line in _formatter(settings).format(told).splitlines():
            self.say(pod, process.now(), line)

    def say(self, pod: str, now: float, line: str) -> None:
        """``now`` is ``Runtime.now()``."""
        self._lines.setdefault(pod, deque(maxlen=LINES)).append((now, line))

    def since(self, now: float) -> Mapping[str, Sequence[str]]:
        """Each pod's lines from then on."""
        return {
            pod: [line for time, line in lines if time >= now] for pod, lines in self._lines.items()
        }

    def forget(self, pod: str) -> None:
        """A pod that is gone takes its log with it."""
        self._lines.pop(pod, None)


@cache
def _formatter(settings: LogSettings) -> logging.Formatter:
    return (JsonFormatter if settings.style == "json" else ConsoleFormatter)(settings)
