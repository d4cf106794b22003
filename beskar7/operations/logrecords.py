"""The managers' log lines as records: level, logger, message. See :mod:`beskar7.logs`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_CONSOLE = re.compile(r"\S+ (DEBUG|INFO|WARNING|ERROR|CRITICAL) +([\w.]+): (.*)")
_PREFIX = "beskar7."


@dataclass(frozen=True, slots=True)
class LogRecord:
    """``level`` in lower case; ``logger`` without the package's name."""

    level: str
    logger: str
    message: str


def records(lines: Iterable[str]) -> Iterator[LogRecord]:
    """Of both formats; what is no record (the stack of one, say) is left out."""
    for line in lines:
        found = _json(line) if line.startswith("{") else _console(line)
        if found is not None:
            yield found


def _console(line: str) -> LogRecord | None:
    match = _CONSOLE.match(line)
    if match is None:
        return None
    level, logger, message = match.groups()
    return LogRecord(level.lower(), logger.removeprefix(_PREFIX), message)


def _json(line: str) -> LogRecord | None:
    try:
        said = json.loads(line)
    except ValueError:
        return None
    if not isinstance(said, dict) or "level" not in said:
        return None
    logger = str(said.get("logger", "")).removeprefix(_PREFIX)
    return LogRecord(str(said["level"]).lower(), logger, str(said.get("msg", "")))
