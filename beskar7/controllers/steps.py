"""A step of a host's life, and what all parts of that life do to a host's status."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from beskar7.api import conditions
from beskar7.api.meta import ObjectKey, rfc3339
from beskar7.api.resources import PhysicalHost
from beskar7.api.states import HostState, may_move
from beskar7.controllers.bmc_requests import BmcRequests
from beskar7.controllers.environment import Environment
from beskar7.coordination.operations import OperationKind
from beskar7.redfish.port import BmcError, Inventory

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """What follows the status write: an operation, a later look, or nothing."""

    operation: OperationKind | None = None
    delay: float = 0.0
    attempt: int = 1
    resumed: bool = False
    look_again: float | None = None
    let_go: bool = False


class Steps:
    """Changes to a host's status; writing it is the reconciler's."""

    def __init__(self, env: Environment, requests: BmcRequests) -> None:
        self._env = env
        self._requests = requests
        self._tried: dict[ObjectKey, dict[str, str]] = {}
        """With what each host's last inspection was asked for."""

    def ask(self, host: PhysicalHost, kind: OperationKind, *, resumed: bool = False) -> Step:
        """An operation, unless one of this host is under way or its credentials are missing."""
        # Cleaning may be asked for while the former owner's operation still runs: the queue lets
        # it begin when that has ended and the BMC has rested.
        cleaning = kind is OperationKind.DEPROVISION
        if self._requests.busy(host.key, kind if cleaning else None):
            return Step()
        problem = self._requests.credentials_problem(host)
        if problem is not None:
            reason, text = problem
            host.status["errorMessage"] = text
            if self._env.condition(
                host, conditions.REDFISH_CONNECTION_READY, False, reason, text, "Warning"
            ):
                self._env.recorder.event(host.raw, "Warning", reason, text)
            return Step()
        if kind is OperationKind.INSPECT:
            self._tried[host.key] = self._credentials(host)
        return Step(kind, resumed=resumed)

    def record(self, host: PhysicalHost, found: Inventory) -> None:
        """The inventory, and that the credentials it was asked for with are good."""
        host.status["hardwareDetails"] = {
            "manufacturer": found.manufacturer,
            "model": found.model,
            "serialNumber": found.serial_number,
            "cpuCores": found.cpu_cores,
            "memoryGiB": found.memory_gib,
            "nics": [
                {"name": nic.name, "mac": nic.mac, "addresses": list(nic.addresses)}
                for nic in found.nics
            ],
            "status": {
                "health": found.health,
                "healthRollup": found.health_rollup,
                "state": found.state,
            },
        }
        host.status["addresses"] = [
            {"type": item.type, "address": item.address} for item in found.addresses
        ]
        host.status["observedPowerState"] = found.power
        host.status["goodCredentials"] = self._tried.pop(host.key, self._credentials(host))
        self.answered(host)

    def proven(self, host: PhysicalHost) -> bool:
        """Whether the BMC has answered at this address with these credentials."""
        return bool(host.status.get("goodCredentials") == self._credentials(host))

    def _credentials(self, host: PhysicalHost) -> dict[str, str]:
        return {
            "address": host.address,
            "secretName": host.secret_name,
            "secretVersion": self._requests.credentials_version(host),
        }

    def answered(self, host: PhysicalHost) -> None:
        """The BMC did what was asked: what was wrong before is over."""
        host.status.pop("errorMessage", None)
        self._env.condition(host, conditions.REDFISH_CONNECTION_READY, True)

    def trouble(self, host: PhysicalHost, error: BaseException) -> str:
        """Say in the status what went wrong, and give the reason."""
        reason = error.reason if isinstance(error, BmcError) else "OperationFailed"
        text = describe(error)
        host.status["errorMessage"] = text
        if reason in CONNECTION_REASONS:
            self._env.condition(
                host, conditions.REDFISH_CONNECTION_READY, False, reason, text, "Error"
            )
        if host.state in (HostState.CLAIMED, HostState.PROVISIONING, HostState.DEPROVISIONING):
            self._env.condition(host, conditions.HOST_PROVISIONED, False, reason, text, "Error")
        return reason

    def move(self, host: PhysicalHost, target: HostState) -> None:
        if not may_move(host.state, target):
            raise AssertionError(f"{host.key}: {host.state!r} -> {target!r} is no legal edge")
        if host.state != target:
            log.info("host %s: %s -> %s", host.key, host.state or "None", target)
            host.status["stateSince"] = rfc3339(self._env.runtime.wall())
        host.status["state"] = target.value
        if target is not HostState.ERROR:
            host.status.pop("errorMessage", None)
        available = target is HostState.AVAILABLE
        host.status["ready"] = available
        self._env.condition(
            host,
            conditions.HOST_AVAILABLE,
            available,
            "" if available else target.value,
            "",
            "" if available else "Info",
        )

    def forget(self, key: ObjectKey) -> None:
        self._tried.pop(key, None)


CONNECTION_REASONS = (
    "RedfishConnectionFailed",
    "RedfishCredentialsRefused",
    "RedfishQueryFailed",
    "OperationFailed",
)


def transient(error: BaseException) -> bool:
    """Whether another try may help without anybody changing anything."""
    return not isinstance(error, BmcError) or error.transient


def describe(error: BaseException) -> str:
    return (str(error) or type(error).__name__)[:4096]
