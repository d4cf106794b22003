"""Giving a host back: power off, no media, nothing of its owner's left; proven by its BMC."""

from __future__ import annotations

from beskar7.api.resources import PhysicalHost
from beskar7.controllers.bmc_requests import Outcome
from beskar7.controllers.environment import Environment
from beskar7.controllers.steps import Step, Steps, transient
from beskar7.coordination.operations import OperationKind
from beskar7.redfish.port import BmcFault

KINDS = (OperationKind.DEPROVISION, OperationKind.VERIFY)
CLEAN_POLL = 0.5
"""Seconds from a clean-up to the first look at its effect: of the order of a power-off."""
CLEAN_TIMEOUT = 30.0
"""Seconds that a BMC may take to show it. Assumption: power-off takes up to ten or so."""


class CannotClean(Exception):
    """The BMC could not be brought to power off and no media; ``error`` says why."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


def clean(
    env: Environment, steps: Steps, host: PhysicalHost, outcome: Outcome | None
) -> Step | None:
    """Clean, then look whether the BMC did it; None once it is proven.

    An accepted request proves nothing: power takes its time, and clients of BMCs (sushy's
    eject_media among them) let some refusals pass as success.

    Raises:
        CannotClean: the retries are used up.
    """
    if outcome is None or outcome.kind not in KINDS or outcome.consumer_uid:
        # Nothing is known of this clean-up, or it was the former owner's operation that ended.
        return steps.ask(host, OperationKind.DEPROVISION)
    tuning = env.tuning()
    if outcome.error is not None:
        if outcome.attempt <= tuning.operation_retries and transient(outcome.error):
            steps.trouble(host, outcome.error)
            return Step(outcome.kind, tuning.operation_delay(outcome.attempt), outcome.attempt + 1)
        raise CannotClean(outcome.error)
    steps.answered(host)
    if outcome.kind is OperationKind.DEPROVISION:
        return Step(OperationKind.VERIFY, CLEAN_POLL, outcome.attempt)
    if outcome.result is True:
        return None
    if outcome.waited < CLEAN_TIMEOUT:
        return Step(OperationKind.VERIFY, tuning.boot_poll_interval, outcome.attempt)
    if outcome.attempt <= tuning.operation_retries:
        return Step(OperationKind.DEPROVISION, attempt=outcome.attempt + 1)
    raise CannotClean(
        BmcFault(f"still on or with media {CLEAN_TIMEOUT:g}s after it was asked to be clean")
    )
