"""HostClaims of the model, and the two conditional writes by which one of them gets its host.

As :mod:`beskar7.controllers.claim_protocol`: a claim is assigned a host at a version, then the host
is taken at that very version; whoever does it, and whoever dies in between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from scenarios.models.actor import Actor
from scenarios.models.hostrecords import Record
from scenarios.models.modelmachine import ModelMachine

Then = Callable[[], None]


@dataclass(slots=True, eq=False)
class HandedClaim:
    """``version`` grows with every write of it; ``host`` is assigned at ``host_version``.

    ``told``: its status says that it waits. ``hands``: who writes for it at this moment.
    """

    machine: ModelMachine
    version: int = 0
    retries: int = 0
    told: bool = False
    host: Record | None = None
    host_version: int = 0
    hands: list[Actor] = field(default_factory=list)

    @property
    def unsettled(self) -> bool:
        return self.host is not None and self.machine.host is None

    @property
    def in_hand(self) -> bool:
        """Whether somebody who lives is about to bring it to its next state."""
        return any(actor.alive for actor in self.hands)


def give(actor: Actor, claim: HandedClaim, record: Record, then: Then) -> Then:
    """What assigns the host, as the actor knows it and the claim now, and takes it.

    ``then`` follows either way.
    """
    version, seen = claim.version, actor.view.versions[record.host.key]

    def assign() -> None:
        open_ = claim.host is None and claim.machine.deleted is None
        if claim.version != version or not open_:
            # Refused; and the claim is read anew.
            actor.after(actor.api.half() + actor.api.call(), then)
            return
        claim.version += 1
        claim.host, claim.host_version = record, seen
        actor.after(actor.api.call(), partial(_take, actor, claim, record, seen, then))

    return lambda: actor.after(actor.api.half(), assign)


def settle(actor: Actor, claim: HandedClaim, then: Then) -> None:
    """Bring an assigned claim to its end: its host is looked at, and taken or given back."""

    def look() -> None:
        record, seen, version = claim.host, claim.host_version, claim.version
        if record is None or record.owner is claim.machine:
            actor.after(actor.api.half(), then)
        elif record.version != seen:
            actor.after(actor.api.call(), partial(_give_back, actor, claim, version, then))
        else:
            actor.after(actor.api.call(), partial(_take, actor, claim, record, seen, then))

    actor.after(actor.api.half(), look)


def _take(actor: Actor, claim: HandedClaim, record: Record, seen: int, then: Then) -> None:
    """The update of the host arrives, whatever became of the claim while it was on its way."""
    if actor.world.claim(record, seen, claim.machine, actor):
        actor.after(actor.api.half(), partial(_taken, actor, record, record.version, then))
    else:
        actor.after(actor.api.half(), partial(settle, actor, claim, then))


def _taken(actor: Actor, record: Record, version: int, then: Then) -> None:
    actor.view.learn(record.host.key, version, free=False)
    then()


def _give_back(actor: Actor, claim: HandedClaim, version: int, then: Then) -> None:
    """The claim's status says that its host was lost: it waits anew; if it is as it was seen."""
    record = claim.host
    if record is not None and claim.version == version:
        actor.view.learn(record.host.key, record.version, record.free)
        claim.host = None
        claim.retries += 1
        claim.version += 1
    actor.after(actor.api.half(), then)
