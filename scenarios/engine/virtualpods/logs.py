"""What each manager logs in virtual time: its pod's log, with the times of its own clock."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from beskar7.logs import ConsoleFormatter, JsonFormatter, LogSettings
from beskar7.runtime.virtual import VirtualProcess
from beskar7.tracing import SubjectFilter

LINES = 20_000
"""Of a pod that are kept."""
OWN, BORROWED = "beskar7", "sushy"
"""Loggers of a manager: its own, and its BMC client's, of which warnings are heard."""

Speaker = Callable[[], tuple[VirtualProcess, str, LogSettings] | None]
"""Who runs at this moment: process, pod, how it is to log; None if it is no manager."""


class PodLogs(logging.Handler):
    """Hears the managers from :meth:`attach` to :meth:`close`, beside whoever hears them else."""

    def __init__(self, speaker: Speaker) -> None:
        super().__init__()
        self._speaker = speaker
        self._lines: dict[str, deque[tuple[float, str]]] = {}
        self._level = logging.WARNING
        self._propagate = True
        self._attached = False
        self.addFilter(SubjectFilter())

    def attach(self) -> None:
        """What is below the level that was asked for so far goes to the pods' logs alone."""
        own = logging.getLogger(OWN)
        self._level, self._propagate = own.getEffectiveLevel(), own.propagate
        self._own_level = own.level
        own.setLevel(logging.DEBUG)
        own.propagate = False
        for name in (OWN, BORROWED):
            logging.getLogger(name).addHandler(self)
        self._attached = True

    def close(self) -> None:
        if self._attached:
            self._attached = False
            own = logging.getLogger(OWN)
            own.setLevel(self._own_level)
            own.propagate = self._propagate
            for name in (OWN, BORROWED):
                logging.getLogger(name).removeHandler(self)
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith(OWN) and self._propagate and record.levelno >= self._level:
            logging.getLogger().handle(record)
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
