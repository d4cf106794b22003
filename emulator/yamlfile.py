"""YAML files whose mistakes are reported with file, line and field."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from beskar7.api.documents import Node, read_file
from beskar7.api.problems import DocumentError
from emulator.fields import FieldError


@dataclass(frozen=True, slots=True)
class Document:
    """Plain data, and for each field (``latency.get.mean``, ``boot.phases[2]``) its line from 1."""

    source: str
    data: Any
    lines: dict[str, int] = field(repr=False)

    def located(self, error: FieldError, inside: str = "") -> FieldError:
        """The error with file and line in front.

        ``inside``: a field whose own fields may have been laid over the document's.
        """
        path, _, what = str(error).partition(": ")
        path = path.removeprefix(".")
        over = self._nearest(f"{inside}.{path}")
        if inside and over not in ("", inside):
            path, near = f"{inside}.{path}", over
        else:
            near = self._nearest(path)
        return FieldError(f"{self.source}:{self.lines.get(near, 1)}: {path or 'document'}: {what}")

    def _nearest(self, path: str) -> str:
        """The innermost field of the document that holds ``path``."""
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return path


def read(path: Path) -> Document:
    """Raises :class:`FieldError` with file and line where the file is no YAML of plain data."""
    try:
        node = read_file(path)
    except DocumentError as bad:
        raise FieldError(str(bad.problems[0])) from None
    lines: dict[str, int] = {}
    return Document(str(path), _plain(node, "", lines), lines)


def _plain(node: Node, path: str, lines: dict[str, int]) -> Any:
    lines[path] = node.where.line
    if isinstance(node.value, dict):
        return {
            name: _plain(inner, f"{path}.{name}" if path else name, lines)
            for name, inner in node.mapping.items()
        }
    if isinstance(node.value, list):
        return [_plain(inner, f"{path}[{i}]", lines) for i, inner in enumerate(node.items)]
    return node.value
