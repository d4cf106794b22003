"""The reconciling manager's side of a HostClaim: ask, wait for the coordinator, or do without it.

While nobody leads the claim coordination, or its leader leaves a claim lying for which a host is
free, the reconciling manager takes the same steps itself: optimistically, and just as safely.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from beskar7.api.errors import AlreadyExists, Conflict, NotFound
from beskar7.api.hostclaims import ClaimPhase, HostClaim, new_claim
from beskar7.api.kinds import HOST_CLAIM
from beskar7.api.meta import ObjectKey
from beskar7.api.resources import Beskar7Machine, PhysicalHost
from beskar7.controllers.claim_protocol import ClaimProtocol
from beskar7.controllers.environment import Environment
from beskar7.coordination.hostpool import HostPool
from beskar7.coordination.requirements import Requirements
from beskar7.kube.controller import TemporaryError

log = logging.getLogger(__name__)

RETRY = 0.1
"""Seconds until a claim that others have changed is looked at again."""


@dataclass(frozen=True, slots=True)
class Leadership:
    """How the claim coordinator is led. ``vacant``: nobody leads it, as far as is known.

    ``patience``: seconds that a claim for which a host is free is left to a leader.
    """

    vacant: Callable[[], bool]
    patience: float


class Handover:
    """``leadership`` None: no coordinator is asked; claims that are there are brought to an end,
    as managers of one installation may differ in this while they are exchanged."""

    def __init__(
        self,
        env: Environment,
        protocol: ClaimProtocol,
        pool: HostPool,
        claim: Callable[[ObjectKey], HostClaim | None],
        host: Callable[[ObjectKey], PhysicalHost | None],
        owned: Callable[[Beskar7Machine], list[PhysicalHost]],
        leadership: Leadership | None,
    ) -> None:
        """``claim`` and ``host`` read caches, ``owned`` asks the server."""
        self._env = env
        self._protocol = protocol
        self._pool = pool
        self._claim = claim
        self._host = host
        self._owned = owned
        self._leadership = leadership
        self._since: dict[ObjectKey, tuple[str, float]] = {}
        """A claim's version that the leader could serve, and since when it could."""

    @property
    def enabled(self) -> bool:
        """Whether new claims are handed over."""
        return self._leadership is not None

    @property
    def led(self) -> bool:
        """Whether somebody is there to serve them, as far as is known."""
        return self._leadership is not None and not self._leadership.vacant()

    def find(self, machine: ObjectKey) -> HostClaim | None:
        return self._claim(machine)

    def open(self, machine: Beskar7Machine) -> HostClaim:
        """A claim for a machine without a host, created now."""
        try:
            claim = HostClaim(self._env.kube.create(HOST_CLAIM, new_claim(machine).raw))
        except AlreadyExists:
            # The cache was behind, or a machine of this name has just gone.
            return HostClaim(self._env.look(HOST_CLAIM, machine.key))
        self._since[machine.key] = (claim.resource_version, self._env.runtime.now())
        log.info("machine %s hands its claim over", machine.key)
        return claim

    def follow(self, machine: Beskar7Machine, claim: HostClaim) -> PhysicalHost | None:
        """The machine's host, once the claim has come to that.

        Raises TemporaryError or an ApiError when the claim has to be looked at again soon.
        """
        current = claim.asks_for(machine) and claim.phase is not ClaimPhase.CANCELLED
        if claim.phase is ClaimPhase.ASSIGNED:
            host = self._host(claim.host_key)
            if host is not None and host.consumer_uid == machine.uid:
                return host
        if not current:
            return self._start_over(machine)
        if not self._on_our_own(machine, claim):
            return None
        try:
            if claim.phase is ClaimPhase.ASSIGNED:
                return self._protocol.settle(claim)
            return self._serve(machine, claim)
        except (Conflict, NotFound) as error:
            self._refresh(machine.key)
            raise TemporaryError(f"claim {claim.key} has changed: {error}", RETRY) from None

    def look_again(self, machine: Beskar7Machine) -> float | None:
        """Seconds until a claim that the leader could serve is to be looked at, else None."""
        since = self._since.get(machine.key)
        if since is None or self._leadership is None:
            return None
        return self._leadership.patience / 4

    def withdraw(self, machine: Beskar7Machine) -> None:
        """For a machine that goes: no host is taken for it from now on."""
        self._since.pop(machine.key, None)
        self._protocol.withdraw(machine.key)

    def forget(self, machine: ObjectKey) -> None:
        self._since.pop(machine, None)

    def _on_our_own(self, machine: Beskar7Machine, claim: HostClaim) -> bool:
        """Whether the claim is to be served here and now."""
        leadership = self._leadership
        if leadership is None:
            return True
        algorithm = self._env.tuning().selection_algorithm
        wish = Requirements.of(machine)
        if claim.open and not self._pool.fits(algorithm, machine.namespace, wish):
            self._since.pop(machine.key, None)
            return False
        now = self._env.runtime.now()
        version, since = self._since.get(machine.key, ("", now))
        if version != claim.resource_version:
            since = now
            self._since[machine.key] = (claim.resource_version, now)
        why = "nobody leads"
        if not leadership.vacant():
            if now - since < leadership.patience:
                return False
            why = "the leader does not serve it"
        log.warning("claim coordinator: %s, so claim %s is served optimistically", why, claim.key)
        self._env.metrics.claims_unled.labels(machine.namespace).inc()
        return True

    def _serve(self, machine: Beskar7Machine, claim: HostClaim) -> PhysicalHost | None:
        tuning = self._env.tuning()
        wish = Requirements.of(machine)
        host = self._pool.take(tuning.selection_algorithm, machine.key, wish)
        if host is None:
            return None
        try:
            assigned = self._protocol.assign(claim, host)
            try:
                return self._protocol.take(assigned, host)
            except (Conflict, NotFound):
                settled = self._protocol.settle(assigned)
                if settled is None:
                    raise TemporaryError(f"claim {claim.key} lost its host", RETRY) from None
                return settled
        finally:
            self._pool.let_go(host.key)

    def _start_over(self, machine: Beskar7Machine) -> PhysicalHost | None:
        """The claim was withdrawn, or asks for what the machine no longer wants."""
        withdrawn = self._protocol.withdraw(machine.key)
        owned = self._owned(machine)
        if owned:
            return owned[0]
        if withdrawn is not None and withdrawn.machine_uid == machine.uid:
            self._protocol.reopen(withdrawn, machine)
        elif withdrawn is not None:
            log.info("claim %s is that of a former machine", withdrawn.key)
            self._env.kube.delete(
                HOST_CLAIM, withdrawn.namespace, withdrawn.name, uid=withdrawn.uid
            )
        raise TemporaryError(f"claim {machine.key} is opened anew", RETRY)

    def _refresh(self, key: ObjectKey) -> None:
        with suppress(NotFound):
            self._env.look(HOST_CLAIM, key)
