"""How a BMC departs from what Redfish says: named flags, all off unless a personality sets them.

What each does is here; where it is done: refusals in :mod:`emulator.bmc.quirkrules`, media in
:mod:`emulator.bmc.services.media`, boots in :mod:`emulator.bmc.machine`, what is shown in
:mod:`emulator.bmc.redfish`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from emulator import fields as f
from emulator.fields import FieldError

MAX_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Quirks:
    """Durations are seconds of a real machine; a fleet's ``scale.boot`` shortens them."""

    etag_required: bool = False
    """PATCH and PUT without If-Match are answered 428."""
    boot_refused_in_post: bool = False
    """PATCH of Boot is answered 400 between power-on and the end of the power-on self-test."""
    override_survives_warm_reset: bool = False
    """A one-time override is spent by a boot from power-off only, and holds over restarts."""
    media_before_override: bool = False
    """A boot override to the CD is answered 400 while no image is inserted."""
    media_by_patch: bool = False
    """No InsertMedia and EjectMedia: a client PATCHes Image and Inserted."""
    media_task_seconds: float = 0.0
    """InsertMedia is answered 202 with a task, and the image is in at its end. 0: 204, at once."""
    media_options_refused: bool = False
    """InsertMedia with Inserted or WriteProtected is answered 400."""
    transfer_protocol_required: bool = False
    """InsertMedia without TransferProtocolType is answered 400."""
    eject_needs_body: bool = False
    """EjectMedia without a body is answered 400; ``{}`` will do."""
    eject_empty_refused: bool = False
    """EjectMedia of an empty drive is answered 400."""
    insert_occupied_refused: bool = False
    """InsertMedia into a drive that has an image is answered 400."""
    inserted_missing: bool = False
    """VirtualMedia has no property Inserted."""
    stale_image: bool = False
    """Image keeps the URL after the eject; only Inserted and ConnectedVia say that it is out."""
    power_state_lag: float = 0.0
    """Seconds for which PowerState still shows the old value."""
    reset_conflict: bool = False
    """A reset that does not go with the power (On when on, ForceOff when off) is answered 400."""
    busy_after_write: float = 0.0
    """Seconds after a write to System or media in which the next one is answered 503."""
    members_unordered: bool = False
    """The members of a collection come in an order that changes with what happens."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where each that is set was seen: the name of a document or of a client's source file."""


NAMES = tuple(item.name for item in fields(Quirks) if item.name != "sources")
_SECONDS = {item.name for item in fields(Quirks) if isinstance(item.default, float)}


def parse(data: object, where: str) -> Quirks:
    """From a mapping of name to ``{value, source}``. Raises :class:`FieldError`."""
    given = f.mapping(data, where, NAMES)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name, entry in given.items():
        at = f"{where}.{name}"
        parts = f.mapping(entry, at, ("value", "source"))
        if "value" not in parts:
            what = "seconds" if name in _SECONDS else "true or false"
            raise FieldError(f"{at}.value: missing; {what}")
        if name in _SECONDS:
            values[name] = f.number(parts["value"], f"{at}.value", 0.0, MAX_SECONDS)
        else:
            values[name] = f.flag(parts["value"], f"{at}.value")
        sources[name] = f.text(parts.get("source", "assumption"), f"{at}.source", 400)
    return Quirks(**values, sources=sources)
