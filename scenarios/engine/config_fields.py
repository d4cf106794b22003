"""``world.config``: the ConfigMap that the managers begin with, judged as they will judge it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beskar7.config import Tuning, contradictions, read_setting, with_settings
from scenarios.engine.fields import Fields


def read_config(fields: Fields, fixed: Mapping[str, Any]) -> dict[str, str]:
    """The field ``config``; ``fixed`` holds fields of the tuning that the managers' flags set.

    Managers that refuse a ConfigMap go on with their defaults, so a run of it would answer another
    question than was asked. Settings that are to be refused belong into an act: ``configure``
    makes those that contradict each other, ``kubectl`` any.
    """
    settings = fields.scalars("config")
    node = fields.node("config")
    if node is None or not settings:
        return settings
    values: dict[str, Any] = {}
    for key, text in settings.items():
        try:
            name, values[name] = read_setting(key, text)
        except ValueError as error:
            _wrong(fields, key, str(error))
    for key, said in contradictions(with_settings(Tuning(), {**values, **fixed})):
        _wrong(fields, key, said)
    return settings


def _wrong(fields: Fields, key: str, message: str) -> None:
    """At the key's own line; a rule about several keys may name one that is not written."""
    node = fields.node("config")
    assert node is not None
    item = node.mapping.get(key, node)
    fields.problems.add(item.where, f"{fields.at('config')}.{key}", message)
