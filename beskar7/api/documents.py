"""YAML as a tree that remembers where every value stood, and the bounds on what is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from beskar7.api.problems import DocumentError, Problem, Where

MAX_BYTES = 256 * 1024
"""Size of a file. The largest scenario of the catalogue is under 4 KiB."""
MAX_NODES = 20_000
"""Values in a file after aliases were followed, against "billion laughs" documents."""
MAX_DEPTH = 24
MAX_OVERRIDE = 4096
"""Characters of one ``--set path=value``."""

_SCALARS = {
    "tag:yaml.org,2002:str",
    "tag:yaml.org,2002:int",
    "tag:yaml.org,2002:float",
    "tag:yaml.org,2002:bool",
    "tag:yaml.org,2002:null",
}


@dataclass(slots=True)
class Node:
    """``value`` is a scalar, a list of nodes, or a dict of name to node."""

    where: Where
    value: Any

    @property
    def mapping(self) -> dict[str, Node]:
        return cast("dict[str, Node]", self.value)

    @property
    def items(self) -> list[Node]:
        return cast("list[Node]", self.value)

    def plain(self) -> Any:
        """Lists, dicts and scalars, as a YAML reader gives them."""
        if isinstance(self.value, dict):
            return {name: item.plain() for name, item in self.mapping.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.items]
        return self.value

    def shape(self) -> str:
        """The kind of value in words, for error messages."""
        match self.value:
            case dict():
                return "a mapping"
            case list():
                return "a list"
            case None:
                return "nothing"
            case bool():
                return f"the boolean {str(self.value).lower()}"
            case str():
                return f'the text "{self.value[:40]}"'
            case _:
                return f"the number {self.value}"


class _Reader:
    """Turns PyYAML's node tree into ours."""

    def __init__(self, source: str, fixed: Where | None) -> None:
        self._source = source
        self._fixed = fixed
        self._count = 0
        self._scalars = yaml.constructor.SafeConstructor()

    def fail(self, where: Where, message: str) -> DocumentError:
        return DocumentError([Problem(where, "", message)])

    def where(self, mark: Any) -> Where:
        if self._fixed is not None:
            return self._fixed
        return Where(self._source, (mark.line + 1) if mark is not None else 1)

    def read(self, node: yaml.Node, depth: int = 0) -> Node:
        where = self.where(node.start_mark)
        self._count += 1
        if self._count > MAX_NODES:
            raise self.fail(where, f"more than {MAX_NODES} values; split the file")
        if depth > MAX_DEPTH:
            raise self.fail(where, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(node, yaml.MappingNode):
            return Node(where, self._mapping(node, depth))
        if isinstance(node, yaml.SequenceNode):
            return Node(where, [self.read(item, depth + 1) for item in node.value])
        return Node(where, self._scalar(cast("yaml.ScalarNode", node), where))

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Node]:
        fields: dict[str, Node] = {}
        for key, value in node.value:
            where = self.where(key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                raise self.fail(where, "a field's name has to be a text")
            if key.tag == "tag:yaml.org,2002:merge":
                raise self.fail(where, 'merge keys ("<<") are not supported; write the fields out')
            if key.value in fields:
                raise self.fail(where, f'the field "{key.value}" stands twice; keep one')
            child = self.read(value, depth + 1)
            child.where = where
            fields[key.value] = child
        return fields

    def _scalar(self, node: yaml.ScalarNode, where: Where) -> str | int | float | bool | None:
        if node.tag == "tag:yaml.org,2002:timestamp":
            return str(node.value)
        if node.tag not in _SCALARS:
            raise self.fail(where, f"the YAML tag {node.tag} is not supported; plain values only")
        try:
            value = self._scalars.construct_object(node)
        except (ValueError, OverflowError, yaml.YAMLError) as error:
            raise self.fail(where, f'cannot read "{node.value[:40]}": {error}') from None
        return cast("str | int | float | bool | None", value)


def parse(text: str, source: str, *, fixed: Where | None = None) -> Node:
    """Read one YAML document. Raises :class:`DocumentError` for anything but plain data.

    ``fixed`` is the place that every value gets instead of its line, for values from ``--set``.
    """
    found = parse_all(text, source, fixed=fixed)
    if len(found) > 1:
        raise DocumentError([Problem(found[1].where, "", "a second document; keep one")])
    return found[0]


def parse_all(text: str, source: str, *, fixed: Where | None = None) -> list[Node]:
    """As :func:`parse`, for a stream of documents; an empty one is a node that holds None."""
    first = fixed or Where(source, 1)
    try:
        reader = _Reader(source, fixed)
        roots = yaml.compose_all(text, Loader=yaml.SafeLoader)
        return [reader.read(root) for root in roots if root is not None] or [Node(first, None)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = fixed or Where(source, mark.line + 1 if mark else 1)
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise DocumentError([Problem(where, "", f"not valid YAML: {said}")]) from None
    except (yaml.YAMLError, RecursionError) as error:
        said = str(error).splitlines()[0] if str(error) else "nested too deeply"
        raise DocumentError([Problem(first, "", f"not valid YAML: {said}")]) from None


def read_file(path: Path) -> Node:
    """The one document of a file. Raises :class:`DocumentError` when it cannot be read."""
    return parse(_text(path), str(path))


def read_all(path: Path) -> list[Node]:
    """All documents of a file. Raises :class:`DocumentError` when it cannot be read."""
    return parse_all(_text(path), str(path))


def _text(path: Path) -> str:
    where = Where(str(path))
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DocumentError([Problem(where, "", f"cannot read it: {reason}")]) from None
    if len(raw) > MAX_BYTES:
        message = f"larger than {MAX_BYTES // 1024} KiB, the limit for such a file"
        raise DocumentError([Problem(where, "", message)])
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DocumentError([Problem(Where(str(path), line), "", "not UTF-8 text")]) from None
