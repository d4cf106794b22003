"""What the managers' log lines say, in either format and with any of the time formats."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from beskar7.api.meta import parse_rfc3339
from beskar7.tracing import FIELDS

MAX_STACK = 200
"""Lines of an exception's stack that are kept."""
_CONSOLE = re.compile(
    r"(?P<ts>\S+) (?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL) +(?P<logger>[\w.-]+): (?P<msg>.*)"
)
_ABOUT = re.compile(rf" \[(?P<about>(?:(?:{'|'.join(FIELDS)})=[^\s\]]+ ?)+)\]$")
_MILLIS, _NANOS = 1e11, 1e14
"""A number below the first is seconds since the epoch, one below the second milliseconds."""


@dataclass(slots=True)
class LogLine:
    """``at``: UTC seconds. ``about`` has what the record names of machine, host and claim."""

    at: float
    level: str
    logger: str
    message: str
    about: Mapping[str, str]
    manager: str = ""
    stack: list[str] = field(default_factory=list)


def read_logs(logs: Mapping[str, Sequence[str]]) -> list[LogLine]:
    """The records of all managers in the order of time, whichever manager's they are."""
    found = [line for manager, lines in logs.items() for line in read_lines(lines, manager)]
    # Stable: what one manager said within one instant keeps its order.
    return sorted(found, key=lambda line: line.at)


def read_lines(lines: Iterable[str], manager: str = "") -> Iterator[LogLine]:
    """The records of one manager; lines that begin none belong to the stack of the one before."""
    current: LogLine | None = None
    for text in lines:
        parsed = parse_line(text)
        if parsed is not None:
            if current is not None:
                yield current
            parsed.manager = manager
            current = parsed
        elif current is not None and text.strip() and len(current.stack) < MAX_STACK:
            current.stack.append(text.rstrip("\n"))
    if current is not None:
        yield current


def parse_line(text: str) -> LogLine | None:
    """None for what is no record."""
    text = text.rstrip("\r\n")
    return _json(text) if text.startswith("{") else _console(text)


def _json(text: str) -> LogLine | None:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or "msg" not in found:
        return None
    at = parse_time(str(found.get("ts", "")))
    if at is None:
        return None
    return LogLine(
        at,
        str(found.get("level", "")),
        str(found.get("logger", "")).removeprefix("beskar7."),
        str(found["msg"]),
        {name: str(found[name]) for name in FIELDS if found.get(name)},
        stack=str(found.get("stack") or "").splitlines()[:MAX_STACK],
    )


def _console(text: str) -> LogLine | None:
    match = _CONSOLE.fullmatch(text)
    at = None if match is None else parse_time(match["ts"])
    if match is None or at is None:
        return None
    message, about = match["msg"], {}
    if told := _ABOUT.search(message):
        message = message[: told.start()]
        about = dict(item.split("=", 1) for item in told["about"].split())
    return LogLine(at, match["level"].lower(), match["logger"], message, about)


def parse_time(text: str) -> float | None:
    """UTC seconds of a time as ``log.timeEncoding`` may write it; None for no time."""
    try:
        number = float(text)
    except ValueError:
        try:
            # ``fromisoformat`` takes other things too; a record's time has its zone.
            return parse_rfc3339(text) if text.endswith("Z") or "+" in text else None
        except ValueError:
            return None
    if not 0 <= number < 1e20:
        return None
    if number < _MILLIS:
        return number
    return number / 1e3 if number < _NANOS else number / 1e9
