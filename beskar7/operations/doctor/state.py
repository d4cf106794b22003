"""What a daily check keeps for the next one: the counters. And a lock: one runs at a time."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from beskar7.operations.doctor.snapshot import Counters
from beskar7.operations.series import Managers, Series

VERSION = 1
MAX_STATE = 64 * 1024 * 1024
"""Bytes; 10,000 BMCs have 2 MB of counters."""
_KEPT = ("_total", "_count", "_sum", "_bucket")
"""Endings of what only grows."""


class StateError(Exception):
    """The file cannot be used; the message says why, and what would be right."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold ``PATH.lock``. Raises StateError when another process does, or it cannot be made."""
    lock = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(f"{lock}: {error.strerror}") from None
    try:
        # Of the kernel, so that it goes with the process; the file stays, whoever waits on it.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StateError(f"{lock}: another check with this state is running") from None
    try:
        yield
    finally:
        os.close(descriptor)


def load(path: Path, cluster: str) -> Counters | None:
    """None where there is none yet. ``cluster`` names whose it has to be. Raises StateError."""
    try:
        if path.stat().st_size > MAX_STATE:
            raise StateError(f"{path}: more than {MAX_STATE} bytes, so it is no state of doctor")
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StateError(f"{path}: {getattr(error, 'strerror', None) or 'not text'}") from None
    try:
        said = json.loads(text)
        if said["version"] != VERSION:
            raise ValueError(f"version {said['version']}")
        counters = Counters(
            float(said["at"]), Managers({life: _series(each) for life, each in _lives(said)})
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}".splitlines()[0][:100]
        raise StateError(
            f"{path}: no state of doctor ({why}); remove it to begin anew, or name another --state"
        ) from None
    if said.get("cluster") != cluster:
        raise StateError(
            f"{path}: the state of {said.get('cluster')}, not of {cluster}; name another --state"
        )
    return counters


def save(path: Path, cluster: str, counters: Counters) -> None:
    """In one step, so that a crash leaves the old one. Raises StateError."""
    body = {
        "version": VERSION,
        "cluster": cluster,
        "at": counters.at,
        "managers": {
            life: [
                [name, dict(labels), value]
                for (name, labels), value in series.samples.items()
                if name.startswith("beskar7_") and name.endswith(_KEPT)
            ]
            for life, series in counters.managers.each.items()
        },
    }
    new = path.with_name(path.name + ".new")
    try:
        descriptor = os.open(new, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(body, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}") from None


def _lives(said: Any) -> Iterator[tuple[str, Any]]:
    yield from said["managers"].items()


def _series(samples: Any) -> Series:
    return Series(
        {
            (str(name), tuple(sorted((str(k), str(v)) for k, v in labels.items()))): float(value)
            for name, labels, value in samples
        }
    )
