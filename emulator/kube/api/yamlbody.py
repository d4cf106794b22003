"""YAML from outside: bounded in size, depth and expansion before anything is built from it."""

from __future__ import annotations

from typing import Any

import orjson
import yaml

from beskar7.api.errors import BadRequest, TooLarge
from emulator.kube.api.depth import MAX_DEPTH

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # PyYAML without libyaml: the same, slower
    from yaml import SafeLoader  # type: ignore[assignment]  # the same interface


class Loader(SafeLoader):
    """Dates stay the text that they are, as in Kubernetes' own YAML."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's way to configure a class
        first: [(tag, pattern) for tag, pattern in rules if not tag.endswith(":timestamp")]
        for first, rules in SafeLoader.yaml_implicit_resolvers.items()
    }


MAX_YAML = 512 * 1024
"""Bytes. YAML is parsed a hundred times slower than JSON, and others wait meanwhile."""

_MAX_FOUND = 20


def decode(body: bytes) -> Any:
    """As JSON would have it.

    Raises :class:`TooLarge`, and :class:`BadRequest` for what is no YAML, is nested too deeply,
    has no JSON form or uses aliases: a few lines of those stand for gigabytes.
    """
    _check(body)
    try:
        return orjson.loads(orjson.dumps(yaml.load(body, Loader=Loader)))  # noqa: S506 - a safe loader
    except (yaml.YAMLError, TypeError, ValueError, RecursionError, AttributeError) as error:
        raise _bad(error) from error


def _check(body: bytes) -> None:
    if len(body) > MAX_YAML:
        raise TooLarge(
            f"Request entity too large: limit for YAML is {MAX_YAML}; JSON may be larger"
        )
    depth = 0
    try:
        for event in yaml.parse(body, Loader=Loader):
            if isinstance(event, yaml.AliasEvent):
                raise BadRequest("the body is not acceptable YAML: aliases are not")
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MAX_DEPTH:
                    raise BadRequest(f"the body is nested more than {MAX_DEPTH} levels deep")
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _bad(error) from error


def _bad(error: Exception) -> BadRequest:
    return BadRequest(f"the body is not valid YAML: {' '.join(str(error).split())[:200]}")


def duplicates(body: bytes) -> list[str]:
    """Paths of the fields that the text, which :func:`decode` has taken, names twice."""
    found: list[str] = []
    _walk(yaml.compose(body, Loader=Loader), "", found)
    return found[:_MAX_FOUND]


def _walk(node: Any, path: str, found: list[str]) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, child in node.value:
            name = str(key.value)
            at = f"{path}.{name}" if path else name
            if name in seen:
                found.append(at)
            seen.add(name)
            _walk(child, at, found)
    elif isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _walk(child, f"{path}[{index}]", found)
