"""Log records for people (console) and for machines (JSON lines), on stderr."""

from __future__ import annotations

import json
import logging
import sys

from beskar7.api.meta import rfc3339_micro


class JsonFormatter(logging.Formatter):
    """One object a line: ts, level, logger, msg, and the stack of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "ts": rfc3339_micro(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        if record.exc_info:
            line["stack"] = self.formatException(record.exc_info)
        return json.dumps(line)


class ConsoleFormatter(logging.Formatter):
    """Time, level, logger, message."""

    def format(self, record: logging.LogRecord) -> str:
        name = record.name.removeprefix("beskar7.")
        text = f"{rfc3339_micro(record.created)} {record.levelname:<7} {name}: "
        text += record.getMessage()
        return text + (f"\n{self.formatException(record.exc_info)}" if record.exc_info else "")


def configure(level: str, style: str) -> None:
    """``level`` is debug, info, warning or error; ``style`` is console or json."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else ConsoleFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for ours in ("beskar7", "emulator", "scenarios"):
        logging.getLogger(ours).setLevel(level.upper())
