"""Ages, as kubectl writes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

UNKNOWN = "<unknown>"


def human_duration(seconds: float) -> str:
    """Ages as kubectl writes them: 5s, 3m10s, 25m, 3h2m, 26h, 4d3h, 90d, 3y12d."""
    whole = int(seconds)
    if whole < 0:
        return "<invalid>" if whole < -1 else "0s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    if days < 8 * 365:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(major: int, unit: str, minor: int, small: str) -> str:
    return f"{major}{unit}{minor}{small}" if minor else f"{major}{unit}"


def parse_time(text: Any) -> float | None:
    """Seconds since the epoch of an RFC 3339 time; None when it is none."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.timestamp() if moment.tzinfo else None
    except ValueError:
        return None


def age(text: Any, now: float) -> str:
    """How long ago an RFC 3339 time is; ``now`` is wall time in seconds."""
    moment = parse_time(text)
    return UNKNOWN if moment is None else human_duration(now - moment)
