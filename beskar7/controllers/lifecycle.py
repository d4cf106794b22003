"""What comes next for a host: one step, from its state and the outcome of its last operation.

The steps change ``host.status`` only; writing it and carrying the step out is the reconciler's.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from beskar7.api import conditions
from beskar7.api.durations import format_duration
from beskar7.api.meta import ObjectKey, rfc3339
from beskar7.api.resources import HOST_FINALIZER, NETWORK_MODES, PhysicalHost
from beskar7.api.states import HostState
from beskar7.controllers.bmc_operations import BootStatus
from beskar7.controllers.bmc_requests import BmcRequests, Outcome
from beskar7.controllers.boot import BootImpossible, BootPlan
from beskar7.controllers.cleaning import CannotClean, clean
from beskar7.controllers.environment import Environment
from beskar7.controllers.recovery import Recovery
from beskar7.controllers.steps import Step, Steps, transient
from beskar7.controllers.stuck import StuckState, time_left
from beskar7.coordination.operations import OperationKind
from beskar7.redfish.port import BmcError, Inventory

log = logging.getLogger(__name__)


class BootTimeout(BmcError):
    """The host was told to boot, and did not get there in time."""

    reason = "BootTimeout"


class HostLifecycle:
    """Remembers of a host only how often its recovery failed; all else is in the API."""

    def __init__(self, env: Environment, requests: BmcRequests, stuck_timeout: float) -> None:
        """``stuck_timeout``: seconds that a transitional state may last."""
        self._env = env
        self._requests = requests
        self._stuck_timeout = stuck_timeout
        self._steps = Steps(env, requests)
        self._recovery = Recovery(env, requests, self._steps)

    def next_step(self, host: PhysicalHost, outcome: Outcome | None) -> Step:
        step = self._delete(host, outcome) if host.deleting else self._advance(host, outcome)
        return step if step.let_go else self._watched(host, step)

    def retry_now(self, key: ObjectKey) -> None:
        """Whatever failed may work now: no need to wait for the backoff."""
        self._recovery.retry_now(key)

    def forget(self, key: ObjectKey) -> None:
        self._recovery.forget(key)
        self._steps.forget(key)

    # --- one step by state --------------------------------------------------------------------

    def _advance(self, host: PhysicalHost, outcome: Outcome | None) -> Step:
        unowned = host.consumer is None
        match host.state:
            case HostState.NONE | HostState.UNKNOWN:
                self._steps.move(host, HostState.ENROLLING)
                return self._steps.ask(host, OperationKind.INSPECT)
            case HostState.ENROLLING:
                return self._enrol(host, outcome)
            case HostState.AVAILABLE:
                if not unowned:
                    self._steps.move(host, HostState.CLAIMED)
                elif not self._steps.proven(host):
                    self._steps.move(host, HostState.ENROLLING)
                    return self._steps.ask(host, OperationKind.INSPECT)
                return Step()
            case HostState.CLAIMED if not unowned:
                return self._begin_provisioning(host)
            case HostState.PROVISIONING if not unowned:
                return self._provision(host, outcome)
            case HostState.PROVISIONED if not unowned:
                return Step()
            case HostState.DEPROVISIONING:
                return self._clean(host, outcome)
            case HostState.ERROR:
                return self._recover(host, outcome)
            case _:  # an owned state whose owner is gone
                return self._begin_cleaning(host)

    def _enrol(self, host: PhysicalHost, outcome: Outcome | None) -> Step:
        if outcome is None or outcome.kind is not OperationKind.INSPECT:
            return self._steps.ask(host, OperationKind.INSPECT)
        if outcome.error is not None:
            return self._recovery.fail(host, outcome.error)
        assert isinstance(outcome.result, Inventory)
        self._steps.record(host, outcome.result)
        if not self._steps.proven(host):  # the credentials changed meanwhile
            return self._steps.ask(host, OperationKind.INSPECT)
        self._steps.move(host, HostState.AVAILABLE)
        self._recovery.over(host.key)
        return Step()

    def _begin_provisioning(self, host: PhysicalHost) -> Step:
        try:
            plan = BootPlan.of(host)
        except BootImpossible as error:
            # No failure of the BMC: an annotation or a new owner changes it, and wakes us.
            if host.status.get("errorMessage") != str(error):
                self._env.recorder.event(host.raw, "Warning", error.reason, str(error))
            self._steps.trouble(host, error)
            return Step()
        if not plan.image and plan.mode not in NETWORK_MODES:
            self._env.condition(
                host,
                conditions.HOST_PROVISIONED,
                False,
                "WaitingForBootInfo",
                "The consumer has not set bootIsoSource",
                "Info",
            )
            return Step()
        self._steps.move(host, HostState.PROVISIONING)
        # From here on the host may carry somebody's image: what is left of this mark when the
        # owner lets go is what has to be cleaned.
        host.status["boot"] = plan.to_status() | {"consumerUID": host.consumer_uid}
        self._env.condition(host, conditions.HOST_PROVISIONED, False, "Provisioning", "", "Info")
        return Step(OperationKind.PROVISION)

    def _provision(self, host: PhysicalHost, outcome: Outcome | None) -> Step:
        tuning = self._env.tuning()
        ours = (OperationKind.PROVISION, OperationKind.VERIFY)
        if outcome is None or outcome.kind not in ours or outcome.consumer_uid != host.consumer_uid:
            # Nothing is known of this boot: the process that led it is gone, or it was a former
            # owner's operation.
            asked = bool(host.boot.get("requestedAt"))
            return self._steps.ask(
                host, OperationKind.VERIFY if asked else OperationKind.PROVISION, resumed=True
            )
        if outcome.error is not None:
            if outcome.attempt <= tuning.operation_retries and transient(outcome.error):
                self._steps.trouble(host, outcome.error)
                delay = tuning.operation_delay(outcome.attempt)
                return Step(outcome.kind, delay, outcome.attempt + 1, True)
            return self._recovery.fail(host, outcome.error)
        self._steps.answered(host)
        if outcome.kind is OperationKind.VERIFY:
            return self._booted(host, outcome)
        host.status["boot"]["requestedAt"] = rfc3339(self._env.runtime.wall())
        self._env.condition(
            host, conditions.HOST_PROVISIONED, False, "Booting", "The host boots its image", "Info"
        )
        return Step(OperationKind.VERIFY, tuning.boot_poll_interval)

    def _booted(self, host: PhysicalHost, outcome: Outcome) -> Step:
        assert isinstance(outcome.result, BootStatus)
        status = outcome.result
        host.status["observedPowerState"] = status.power
        if status.booted:
            plan = BootPlan.from_status(host.boot)
            self._steps.move(host, HostState.PROVISIONED)
            self._env.condition(host, conditions.HOST_PROVISIONED, True)
            host.status["ready"] = True
            self._recovery.over(host.key)
            log.info("host %s is provisioned with %s", host.key, plan)
            self._env.recorder.event(host.raw, "Normal", "Provisioned", f"The host booted {plan}")
            return Step()
        tuning = self._env.tuning()
        if outcome.waited > tuning.boot_timeout:
            return self._recovery.fail(
                host,
                BootTimeout(
                    f"the host has not booted within {tuning.boot_timeout:g}s "
                    f"(power {status.power}, progress {status.progress or 'unknown'})"
                ),
            )
        return Step(OperationKind.VERIFY, tuning.boot_poll_interval)

    def _begin_cleaning(self, host: PhysicalHost) -> Step:
        self._steps.move(host, HostState.DEPROVISIONING)
        self._env.condition(host, conditions.HOST_PROVISIONED, False, "Deprovisioning", "", "Info")
        self._requests.revoke(host.key)
        return self._steps.ask(host, OperationKind.DEPROVISION)

    def _clean(self, host: PhysicalHost, outcome: Outcome | None) -> Step:
        try:
            step = clean(self._env, self._steps, host, outcome)
        except CannotClean as failure:
            return self._recovery.fail(host, failure.error)
        if step is not None:
            return step
        host.status.pop("boot", None)
        host.status["observedPowerState"] = "Off"
        self._steps.move(host, HostState.AVAILABLE)
        self._recovery.over(host.key)
        log.info("host %s is clean and available", host.key)
        return Step()

    # --- failure and recovery -----------------------------------------------------------------

    def _recover(self, host: PhysicalHost, outcome: Outcome | None) -> Step:
        step = self._recovery.advance(host, outcome)
        if step is not None:
            return step
        if host.consumer is not None:
            self._steps.move(host, HostState.CLAIMED)
        elif host.boot_consumer_uid:
            return self._begin_cleaning(host)
        else:
            self._steps.move(host, HostState.ENROLLING)
        return Step()  # the status write brings the host back here

    def _watched(self, host: PhysicalHost, step: Step) -> Step:
        """The step, with a look at the time when the host would be stuck; or its recovery."""
        running = self._requests.running_since(host.key)
        now, tuning = self._env.runtime.now(), self._env.tuning()
        left = time_left(
            host,
            wall=self._env.runtime.wall(),
            timeout=self._stuck_timeout,
            boot_timeout=tuning.boot_timeout,
            running=None if running is None else now - running,
            waiting=step.operation is not None or self._requests.busy(host.key),
            unanswerable=self._requests.credentials_problem(host) is not None,
        )
        if left is None:
            return step
        if left > 0:
            soonest = left if step.look_again is None else min(left, step.look_again)
            return replace(step, look_again=soonest)
        self._requests.revoke(host.key)
        length = format_duration(self._stuck_timeout)
        error = StuckState(f"the host did not leave state {host.state} within {length}")
        self._env.recorder.event(host.raw, "Warning", "StuckState", f"{error}; trying again")
        return self._recovery.fail(host, error)

    # --- deletion -----------------------------------------------------------------------------

    def _delete(self, host: PhysicalHost, outcome: Outcome | None) -> Step:
        if not host.has_finalizer(HOST_FINALIZER):
            return Step()
        if host.consumer is not None:
            if host.state not in (HostState.PROVISIONED, HostState.CLAIMED):
                return self._advance(host, outcome)
            self._env.condition(
                host,
                conditions.HOST_PROVISIONED,
                False,
                "WaitingForConsumerRelease",
                f"Owned by {host.consumer_key}",
                "Info",
            )
            return Step()
        if not host.boot_consumer_uid:
            # Never given an image by us: nothing of ours is on it.
            return Step(let_go=True)
        problem = self._requests.credentials_problem(host)
        if problem is not None:
            # Its Secret went first, as in a namespace that is deleted: nobody can clean it now.
            return self._uncleaned(host, problem[1])
        if host.state != HostState.DEPROVISIONING:
            return self._begin_cleaning(host)
        try:
            step = clean(self._env, self._steps, host, outcome)
        except CannotClean as failure:
            return self._uncleaned(host, str(failure.error))
        return step or Step(let_go=True)

    def _uncleaned(self, host: PhysicalHost, why: str) -> Step:
        text = f"Deleted although its BMC could not be cleaned: {why}"
        self._env.recorder.event(host.raw, "Warning", "CleanupSkipped", text)
        return Step(let_go=True)
