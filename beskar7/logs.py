"""Log records for people (console) and for machines (JSON lines), on stderr.

Level, format, time and stack traces can change while the process runs (``log.*`` of the
ConfigMap); the names of their values are those of the zap logger's flags.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from beskar7.api.meta import rfc3339, rfc3339_micro
from beskar7.tracing import FIELDS, SubjectFilter

LEVELS = ("debug", "info", "warning", "error")
STYLES = ("console", "json")
OURS = ("beskar7", "emulator", "scenarios")
TIMES: dict[str, Callable[[float], str]] = {
    "rfc3339nano": rfc3339_micro,
    "rfc3339": rfc3339,
    "iso8601": lambda at: rfc3339_micro(at)[:23] + "Z",
    "epoch": lambda at: f"{at:.6f}",
    "millis": lambda at: f"{at * 1e3:.3f}",
    "nano": lambda at: f"{round(at * 1e6)}000",
}


@dataclass(frozen=True, slots=True)
class LogSettings:
    """``stacktraces``: the lowest level whose records show the stack of an exception."""

    level: str = "info"
    style: str = "console"
    times: str = "rfc3339nano"
    stacktraces: str = "error"


class _Formatter(logging.Formatter):
    def __init__(self, settings: LogSettings) -> None:
        super().__init__()
        self._time = TIMES[settings.times]
        self._stacks_from = logging.getLevelName(settings.stacktraces.upper())

    def at(self, record: logging.LogRecord) -> str:
        return self._time(record.created)

    def stack(self, record: logging.LogRecord) -> str:
        """Of the record's exception; empty without one, or below the level for stacks."""
        if not record.exc_info or record.levelno < self._stacks_from:
            return ""
        return self.formatException(record.exc_info)

    @staticmethod
    def about(record: logging.LogRecord) -> dict[str, str]:
        known: Mapping[str, str] = getattr(record, "about", {})
        return {name: known[name] for name in FIELDS if name in known}


class JsonFormatter(_Formatter):
    """One object a line: ts, level, logger, msg, what it is about, the stack of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "ts": self.at(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
            **self.about(record),
        }
        stack = self.stack(record)
        if stack:
            line["stack"] = stack
        return json.dumps(line)


class ConsoleFormatter(_Formatter):
    """Time, level, logger, message, what it is about."""

    def format(self, record: logging.LogRecord) -> str:
        name = record.name.removeprefix("beskar7.")
        text = f"{self.at(record)} {record.levelname:<7} {name}: {record.getMessage()}"
        about = " ".join(f"{name}={value}" for name, value in self.about(record).items())
        stack = self.stack(record)
        return text + (f" [{about}]" if about else "") + (f"\n{stack}" if stack else "")


def configure(settings: LogSettings) -> None:
    """Log as ``settings`` say, from now on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(SubjectFilter())
    style = JsonFormatter if settings.style == "json" else ConsoleFormatter
    handler.setFormatter(style(settings))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for ours in OURS:
        logging.getLogger(ours).setLevel(settings.level.upper())
