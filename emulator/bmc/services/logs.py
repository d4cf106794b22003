"""LogServices: a machine's and its BMC's journal of what happened to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import flask

from emulator.bmc.redfish import timestamp
from emulator.bmc.services import base

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc
    from emulator.bmc.log import BmcEvent

KEPT = 32
"""Entries of one machine; the oldest are overwritten."""
TEXTS = {
    "power-on": "The system was powered on.",
    "power-off": "The system was powered off.",
    "boot-started": "The system started to boot from {detail}.",
    "boot-failed": "The system broke off its boot from {detail}.",
    "boot-finished": "The system finished its boot from {detail}.",
    "media-inserted": "Virtual media were inserted: {detail}.",
    "media-ejected": "Virtual media were ejected: {detail}.",
    "bmc-reset": "The BMC was reset: {detail}.",
    "clock-changed": "The clock of the BMC was set: {detail}.",
    "credentials-changed": "The password of the BMC was changed.",
    "feed-lost": "The power feed was lost.",
    "feed-restored": "The power feed was restored.",
    "firmware-updated": "Firmware was updated: {detail}.",
}
OF_BMC = ("bmc-reset", "clock-changed", "credentials-changed", "firmware-updated")
OF = {"Systems": "Event", "Managers": "Log"}
"""By owner, the log's name."""


class Journal:
    """The last entries of one machine; :data:`KEPT` at most."""

    def __init__(self, bmc: Bmc) -> None:
        self.entries: list[BmcEvent] = []

    def add(self, event: BmcEvent) -> None:
        self.entries.append(event)
        del self.entries[:-KEPT]


def _show(path: str, event: BmcEvent) -> dict[str, Any]:
    running = base.call()
    text = TEXTS.get(event.type, event.type).format(detail=event.detail.rstrip(":"))
    return base.resource(
        f"{path}/Entries/{event.seq}",
        "LogEntry.v1_16_0",
        str(event.seq),
        f"Log Entry {event.seq}",
        EntryType="Event",
        Severity="OK",
        Created=timestamp(event.time + running.wall - running.now),
        Message=text,
        MessageId=f"Beskar7.1.0.{event.type.title().replace('-', '')}",
        MessageArgs=[event.detail],
    )


def _is_of(owner: str, event: BmcEvent) -> bool:
    return (event.type in OF_BMC) == (owner == "Managers")


def register(app: flask.Flask) -> None:
    for owner in OF:
        _register(app, owner)


def _register(app: flask.Flask, owner: str) -> None:
    ident = OF[owner]
    rule = f"{base.ROOT}/{owner}/<identity>/LogServices"

    def path(identity: str) -> str:
        (base.only_manager if owner == "Managers" else base.only)(identity)
        return f"{base.ROOT}/{owner}/{identity}/LogServices"

    def entries() -> list[BmcEvent]:
        journal: Journal | None = base.call().bmc.drivers.peek("journal")
        return [e for e in journal.entries if _is_of(owner, e)] if journal else []

    def services(identity: str) -> Any:
        here = path(identity)
        return base.collection(here, "LogService", "Log Services", [f"{here}/{ident}"])

    def service(identity: str) -> Any:
        here = f"{path(identity)}/{ident}"
        running = base.call()
        return base.resource(
            here,
            "LogService.v1_5_0",
            ident,
            f"{ident} Log",
            ServiceEnabled=True,
            LogEntryType="Event",
            MaxNumberOfRecords=KEPT,
            OverWritePolicy="WrapsWhenFull",
            DateTime=timestamp(running.wall),
            DateTimeLocalOffset="+00:00",
            Status=base.OK,
            Entries=base.link(f"{here}/Entries"),
            Actions={"#LogService.ClearLog": {"target": f"{here}/Actions/LogService.ClearLog"}},
        )

    def log(identity: str) -> Any:
        here = f"{path(identity)}/{ident}"
        shown = [_show(here, event) for event in entries()]
        body = base.collection(f"{here}/Entries", "LogEntry", "Log Entries", [])
        return body | {"Members": shown, "Members@odata.count": len(shown)}

    def entry(identity: str, number: str) -> Any:
        here = f"{path(identity)}/{ident}"
        for event in entries():
            if str(event.seq) == number:
                return _show(here, event)
        raise base.missing()

    def clear(identity: str) -> Any:
        path(identity)
        journal: Journal = base.state("journal")
        journal.entries = [e for e in journal.entries if not _is_of(owner, e)]

    for suffix, function in (
        ("", services),
        (f"/{ident}", service),
        (f"/{ident}/Entries", log),
        (f"/{ident}/Entries/<number>", entry),
        (f"/{ident}/Actions/LogService.ClearLog", clear),
    ):
        function.__name__ = f"{owner}_{function.__name__}"
        base.route(app, rule + suffix, "POST" if suffix.endswith("ClearLog") else "GET")(function)
