"""A host in Error: tried again and again, ever more seldom, and taken up where its marks say."""

from __future__ import annotations

import logging

from beskar7.api.meta import ObjectKey
from beskar7.api.resources import PhysicalHost
from beskar7.api.states import HostState
from beskar7.controllers.bmc_requests import BmcRequests, Outcome
from beskar7.controllers.environment import Environment
from beskar7.controllers.steps import Step, Steps, describe, transient
from beskar7.coordination.operations import OperationKind
from beskar7.redfish.port import Inventory

log = logging.getLogger(__name__)


class Recovery:
    """No error is final: a BMC that comes back, or credentials that do, heal their host (U4)."""

    def __init__(self, env: Environment, requests: BmcRequests, steps: Steps) -> None:
        self._env = env
        self._requests = requests
        self._steps = steps
        self._errors: dict[ObjectKey, int] = {}
        """Failed recoveries in a row, for the backoff between them."""
        self._retry_at: dict[ObjectKey, float] = {}

    def retry_now(self, key: ObjectKey) -> None:
        """Whatever failed may work now: no need to wait for the backoff."""
        self._retry_at.pop(key, None)

    def over(self, key: ObjectKey) -> None:
        """The host got where it should: the next failure is the first again."""
        self._errors.pop(key, None)

    def forget(self, key: ObjectKey) -> None:
        self.over(key)
        self.retry_now(key)
        self._env.runtime.forget_rng(_stream(key))

    def fail(self, host: PhysicalHost, error: BaseException) -> Step:
        """Into Error, and out of it again after a backoff."""
        wanted = host.state in (
            HostState.CLAIMED,
            HostState.PROVISIONING,
            HostState.DEPROVISIONING,
        )
        reason = self._steps.trouble(host, error)
        self._steps.move(host, HostState.ERROR)
        self._env.recorder.event(
            host.raw, "Warning", "ProvisioningFailed" if wanted else reason, describe(error)
        )
        return self._wait(host, error)

    def _wait(self, host: PhysicalHost, error: BaseException) -> Step:
        """Exponential backoff; refused credentials wait longest, as BMCs lock accounts."""
        tuning = self._env.tuning()
        failures = self._errors[host.key] = self._errors.get(host.key, 0) + 1
        base = tuning.bmc_retry_delay * 2.0 ** min(failures - 1, 16)
        delay = min(base, tuning.max_backoff_delay)
        if not transient(error):
            delay = max(delay, 10 * tuning.max_backoff_delay)
        jitter = 0.75 + 0.5 * self._env.runtime.rng(_stream(host.key)).random()
        delay *= jitter
        self._retry_at[host.key] = self._env.runtime.now() + delay
        log.warning("host %s: %s; next try in %.1fs", host.key, error, delay)
        return Step(look_again=delay)

    def advance(self, host: PhysicalHost, outcome: Outcome | None) -> Step | None:
        """Prove that the BMC answers; None once it did, and the host has a state to go on from."""
        if outcome is None or outcome.kind is not OperationKind.INSPECT:
            remaining = self._retry_at.get(host.key, 0.0) - self._env.runtime.now()
            if remaining > 0:
                return Step(look_again=remaining)
            if self._requests.busy(host.key):
                # What hangs there is given up by the queue in the end; its end wakes us, too.
                return Step(look_again=self._env.tuning().max_backoff_delay)
            return self._steps.ask(host, OperationKind.INSPECT)
        if outcome.error is not None:
            self._steps.trouble(host, outcome.error)
            return self._wait(host, outcome.error)
        assert isinstance(outcome.result, Inventory)
        self._steps.record(host, outcome.result)
        return None


def _stream(host: ObjectKey) -> str:
    return f"host-backoff/{host}"
