"""How a HostClaim gets a host: two conditional writes, safe whoever makes them and whenever.

    assign   the claim's status says: this host, to be taken at exactly this resourceVersion
    take     the host's consumerRef is set by an update with that very resourceVersion

At any time there is one (host, version) at most that a claim may take. Several may try to take it:
they write the same, and one succeeds. The claim is assigned anew only after the host was seen at
a later version, for then no write that is still on its way can succeed; and it is withdrawn only
after its host was brought to a later version. So clocks and leases keep the work in one hand,
but a claim is served once even when they fail.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from beskar7.api.errors import Conflict, NotFound
from beskar7.api.hostclaims import ClaimPhase, HostClaim, claim_spec
from beskar7.api.kinds import HOST_CLAIM, PHYSICAL_HOST
from beskar7.api.meta import ObjectKey, rfc3339
from beskar7.api.resources import Beskar7Machine, PhysicalHost
from beskar7.controllers.environment import Environment
from beskar7.coordination.claimqueue import Waiting
from beskar7.coordination.requirements import Requirements
from beskar7.kube.controller import TemporaryError
from beskar7.kube.objects import version_number

log = logging.getLogger(__name__)

ATTEMPTS = 5
"""Reads of one object in a row whose answers others make untrue; then the caller tries later."""
RETRY = 0.2
"""Seconds until then."""


def waiting(claim: HostClaim) -> Waiting:
    """The claim as the queue orders it."""
    requirements = Requirements.of(claim.machine())
    return Waiting(claim.key, requirements, claim.created, claim.retries)


class ClaimProtocol:
    """The steps in the name of one manager; ``term`` numbers its term of claim leadership."""

    def __init__(self, env: Environment, identity: str, term: Callable[[], int]) -> None:
        self._env = env
        self._identity = identity
        self._term = term

    def assign(self, claim: HostClaim, host: PhysicalHost) -> HostClaim:
        """Step one, for an open claim and a claimable host, both as the caller knows them.

        Raises Conflict or NotFound when the claim is no longer what the caller knows.
        """
        return self._say(
            claim,
            ClaimPhase.ASSIGNED,
            f"host {host.name} is to be taken",
            hostRef={
                "name": host.name,
                "uid": host.uid,
                "resourceVersion": host.resource_version,
            },
        )

    def take(self, claim: HostClaim, at: PhysicalHost) -> PhysicalHost:
        """Step two, for an assigned claim; ``at`` is its host at the assigned version.

        Raises Conflict or NotFound when the host has moved on: :meth:`settle` tells what follows.
        """
        assert at.resource_version == claim.host_version
        machine = claim.machine()
        host = self._env.copy(at)
        log.info("selecting host %s for machine %s", host.key, machine.key)
        host.claim(machine, rfc3339(self._env.runtime.wall()))
        taken = PhysicalHost(self._env.kube.update(PHYSICAL_HOST, host.raw))
        self._count(claim, "success", "none")
        recorder = self._env.recorder
        recorder.event(taken.raw, "Normal", "Claimed", f"Claimed by machine {machine.key}")
        recorder.event(machine.raw, "Normal", "Claimed", f"Claimed host {host.name}")
        log.info("claimed host %s for machine %s", host.key, machine.key)
        return taken

    def settle(self, claim: HostClaim) -> PhysicalHost | None:
        """Bring an assigned claim to an end: its host, taken; None: it waits anew.

        Raises TemporaryError when others keep changing the host, or an answer was out of date.
        """
        for _ in range(ATTEMPTS):
            host = self._host_of(claim)
            if host is None:
                self._give_back(claim, "invalid_state")
                return None
            if host.consumer_uid == claim.machine_uid:
                return host
            if host.resource_version != claim.host_version:
                taken = host.consumer is not None
                self._give_back(claim, "already_claimed" if taken else "optimistic_lock")
                return None
            try:
                return self.take(claim, host)
            except (Conflict, NotFound) as error:
                log.debug("claim %s: %s", claim.key, error)
        raise TemporaryError(f"claim {claim.key}: host {claim.host_key} keeps changing", RETRY)

    def withdraw(self, key: ObjectKey) -> HostClaim | None:
        """See to it that no host is taken for this claim from now on.

        What it already has stays its machine's. The claim is left, Cancelled, and returned as the
        server has it; None: there is none. A crash at any step leaves what the next call finishes.
        """
        for _ in range(ATTEMPTS):
            try:
                claim = HostClaim(self._env.kube.get(HOST_CLAIM, key.namespace, key.name))
            except NotFound:
                return None
            try:
                if claim.phase is not ClaimPhase.CANCELLED:
                    claim = self._say(
                        claim,
                        ClaimPhase.CANCELLED,
                        "withdrawn",
                        **({} if claim.open else {"hostRef": claim.status.get("hostRef")}),
                    )
                if claim.host_key.name:
                    self._outdate(claim)
                return claim
            except (Conflict, NotFound) as error:
                log.debug("claim %s changes while it is withdrawn: %s", key, error)
        raise TemporaryError(f"claim {key}: others keep changing it", RETRY)

    def reopen(self, withdrawn: HostClaim, machine: Beskar7Machine) -> HostClaim:
        """Let a withdrawn claim, of a machine that owns no host, wait with what it wants now.

        Raises Conflict when somebody else does the same.
        """
        claim = self._env.copy(withdrawn)
        claim.raw["spec"] = claim_spec(machine)
        if claim.spec != withdrawn.spec:
            claim = HostClaim(self._env.kube.update(HOST_CLAIM, claim.raw))
        return self._say(claim, ClaimPhase.PENDING, "opened anew", retries=0)

    def tell(self, claim: HostClaim, phase: ClaimPhase, message: str) -> HostClaim:
        """Let an open claim say why it waits. Raises Conflict, NotFound."""
        return self._say(claim, phase, message)

    def _host_of(self, claim: HostClaim) -> PhysicalHost | None:
        """The assigned host from the server; None when it is gone, or another of its name."""
        try:
            host = PhysicalHost(self._env.look(PHYSICAL_HOST, claim.host_key))
        except NotFound:
            return None
        if host.uid != claim.host_uid:
            return None
        seen = version_number(host.resource_version)
        assigned = version_number(claim.host_version)
        if seen is not None and assigned is not None and seen < assigned:
            # An old answer proves nothing about what may still be written.
            raise TemporaryError(f"claim {claim.key}: an old answer about {host.key}", RETRY)
        return host

    def _outdate(self, claim: HostClaim) -> None:
        """Bring the assigned host past the version at which it may be taken. Raises Conflict."""
        host = self._host_of(claim)
        if host is None or host.consumer_uid == claim.machine_uid:
            return
        if host.resource_version == claim.host_version:
            # The owner's uid makes it a change even if another claim's was withdrawn just now.
            host.annotate(claim_withdrawn=claim.machine_uid + " " + claim.host_version)
            self._env.kube.update(PHYSICAL_HOST, host.raw)

    def _give_back(self, claim: HostClaim, reason: str) -> None:
        """The assigned host was lost: wait anew. Raises Conflict when the claim has changed."""
        self._count(claim, "conflict", reason)
        self._env.metrics.claim_retries.labels(claim.namespace).inc()
        name = claim.host_key.name
        log.info(
            "optimistic lock conflict (resource version conflict) on host %s for machine %s: %s",
            claim.host_key,
            claim.key,
            reason,
        )
        self._env.recorder.event(
            claim.machine().raw, "Warning", "ClaimConflict", f"Host {name} was taken: {reason}"
        )
        self._say(
            claim, ClaimPhase.PENDING, f"host {name} was lost: {reason}", retries=claim.retries + 1
        )

    def _say(
        self, claim: HostClaim, phase: ClaimPhase, message: str, **fields: object
    ) -> HostClaim:
        said = self._env.copy(claim)
        said.raw["status"] = {
            "phase": phase.value,
            "assignedBy": self._identity,
            "leaseTransitions": self._term(),
            "retries": claim.retries,
            "priority": waiting(claim).priority(self._env.runtime.wall()),
            "message": message[:1024],
            **fields,
        }
        return HostClaim(self._env.kube.update_status(HOST_CLAIM, said.raw))

    def _count(self, claim: HostClaim, outcome: str, reason: str) -> None:
        self._env.metrics.claim_attempts.labels(claim.namespace, outcome, reason).inc()
