"""What sushy-tools lacks of Redfish: one module a subject, each with its state and its routes.

A module defines a state class, made for a BMC when it is first needed, and ``register``, which adds
the routes to the application. :data:`STATES` is how the drivers' registry finds the classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import flask

from emulator.bmc.services import (
    accounts,
    bios,
    bootoptions,
    certificates,
    chassis,
    entrance,
    events,
    failures,
    hardware,
    logs,
    managers,
    media,
    registries,
    sessions,
    systems,
    tasks,
    updates,
)

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc
    from emulator.bmc.log import BmcEvent

STATES: dict[str, Callable[[Any], Any]] = {
    "accounts": accounts.Accounts,
    "bios_settings": bios.Bios,
    "events": events.Subscriptions,
    "journal": logs.Journal,
    "manager_state": managers.ManagerState,
    "sessions": sessions.Sessions,
    "tasks": tasks.Tasks,
    "updates": updates.Updates,
}
_MODULES = (
    *(
        accounts,
        bios,
        bootoptions,
        certificates,
        chassis,
        entrance,
        events,
        failures,
        hardware,
        logs,
    ),
    *(managers, media, registries, sessions, systems, tasks, updates),
)


def register(application: flask.Flask) -> None:
    """Add all routes; before the application's first request."""
    for module in _MODULES:
        module.register(application)


def happened(bmc: Bmc, event: BmcEvent, wall: float) -> None:
    """What a machine did, for the states that follow it: journal, settings, subscribers."""
    drivers = bmc.drivers
    drivers.get("journal").add(event)
    if event.type == "boot-started":
        firmware = drivers.peek("updates")
        if firmware is not None:
            firmware.booted(event.time)
    subscriptions = drivers.peek("events")
    if subscriptions is not None:
        subscriptions.publish(event, wall)
