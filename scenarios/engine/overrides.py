"""``--set path=value``: changes to the document before it is read, through the same checks."""

from __future__ import annotations

from beskar7.api.documents import MAX_OVERRIDE, Node, parse
from beskar7.api.problems import DocumentError, Problem, Where, closest

OPEN_MAPPINGS = (
    "world.config",
    "world.managers.args",
    "world.hosts.labels",
    "world.hosts.vendors",
    "load.requirements.required_labels",
    "load.requirements.preferred_labels",
)
"""Mappings whose keys are names of their own, dots included: the rest of a path is one key."""


def apply_override(document: Node, text: str, flag: str = "--set") -> None:
    """Set one value in the tree. Raises :class:`DocumentError` naming ``flag`` and the path."""
    path, separator, value = text.partition("=")
    path = path.strip()
    where = Where(f"{flag} {path}")
    if len(text) > MAX_OVERRIDE:
        raise _error(where, f"is longer than {MAX_OVERRIDE} characters")
    if not separator or not path:
        raise _error(Where(f"{flag} {text}"), "has to be PATH=VALUE, as in load.machines=20")
    where = Where(f"{flag} {path}={value}"[:200])
    steps = _steps(path)
    node = document
    for index, step in enumerate(steps[:-1]):
        node = _descend(node, step, ".".join(steps[:index]), where)
    _assign(node, steps[-1], parse(value, str(where), fixed=where), ".".join(steps[:-1]), where)


def _steps(path: str) -> list[str]:
    for prefix in OPEN_MAPPINGS:
        if path.startswith(prefix + "."):
            return [*prefix.split("."), path[len(prefix) + 1 :]]
    return path.split(".")


def _descend(node: Node, step: str, path: str, where: Where) -> Node:
    if isinstance(node.value, list):
        return node.items[_index(node, step, path, where)]
    if node.value is None:
        node.value = {}
    if not isinstance(node.value, dict):
        raise _error(where, f'"{path}" is {node.shape()} and has no field "{step}"')
    # A part that the file leaves out is made here; a misspelt one is caught as an unknown field.
    return node.mapping.setdefault(step, Node(where, {}))


def _assign(node: Node, step: str, value: Node, path: str, where: Where) -> None:
    if isinstance(node.value, list):
        node.items[_index(node, step, path, where)] = value
        return
    if node.value is None:
        node.value = {}
    if not isinstance(node.value, dict):
        raise _error(where, f'"{path}" is {node.shape()} and has no field "{step}"')
    node.mapping[step] = value


def _index(node: Node, step: str, path: str, where: Where) -> int:
    """An element is named by its position from 0, or by its ``id`` or ``measure``."""
    if step.isascii() and step.isdigit() and len(step) < 7:
        if int(step) < len(node.items):
            return int(step)
        raise _error(where, f'"{path}" has {len(node.items)} elements; the first is {path}.0')
    names: dict[str, int] = {}
    for index, item in enumerate(node.items):
        if isinstance(item.value, dict):
            for key in ("id", "measure"):
                named = item.mapping.get(key)
                if named is not None:
                    names.setdefault(str(named.value), index)
    if step in names:
        return names[step]
    raise _error(where, f'"{path}" has no element "{step}"; {closest(step, names)}')


def _error(where: Where, message: str) -> DocumentError:
    return DocumentError([Problem(where, "", message)])
