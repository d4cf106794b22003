"""Files that only their owner may read, and YAML files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

# The C library's parser is ten times faster, where PyYAML was built with it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def write_private(path: Path, data: bytes) -> None:
    """Replace the file by one of mode 0600, in one step, never readable by others."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    temporary.replace(path)


def is_private(path: Path) -> bool:
    """The file is ours, and nobody else may read it. Raises ``OSError`` if it is not there."""
    status = path.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & 0o077


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """The secret that a file holds from before, or a new one, written to it (mode 0600)."""
    try:
        if is_private(path) and (found := path.read_text(encoding="ascii").strip()):
            return found
    except (OSError, UnicodeDecodeError):
        pass
    secret = make()
    write_private(path, secret.encode())
    return secret


def load_yaml(path: Path) -> list[Any]:
    """All documents of a file. Raises ``OSError``, ``UnicodeDecodeError``, ``yaml.YAMLError``."""
    text = path.read_text(encoding="utf-8")
    return list(yaml.load_all(text, Loader=_LOADER))
