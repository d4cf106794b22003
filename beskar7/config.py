"""Settings of the controller: flags for the process, the ConfigMap ``beskar7-config`` for tuning.

Ranges and defaults are those of the documented configuration (facts section 7). An invalid
value is refused with its key, what was read and what would be right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from beskar7.api.durations import parse_duration
from beskar7.coordination.selection import ALGORITHMS

CONFIG_MAP_NAME = "beskar7-config"


class ConfigError(Exception):
    """One or more settings are wrong; ``problems`` has a line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Tuning:
    """What ``beskar7-config`` sets. Times are seconds; None: the vendor's own value."""

    max_concurrent_ops: int = 5
    max_queue_size: int = 50
    operation_timeout: float = 300.0
    bmc_cooldown: float | None = None
    worker_count: int = 3
    selection_algorithm: str = "deterministic"
    claim_retry_limit: int = 3
    backoff_multiplier: float = 1.5
    max_backoff_delay: float = 30.0
    connection_timeout: float = 30.0
    request_timeout: float = 60.0
    bmc_max_retries: int = 3
    bmc_retry_delay: float = 5.0
    boot_poll_interval: float = 2.0
    boot_timeout: float = 900.0


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.strip().lstrip("-").isdigit() or not low <= int(text) <= high:
            raise ValueError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse


def _number(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ValueError(f"{text!r} is not a number from {low:g} to {high:g}")
        return value

    return parse


def _duration(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        seconds = parse_duration(text)
        if not low <= seconds <= high:
            raise ValueError(f"{text!r} is not a duration from {low:g}s to {high:g}s")
        return seconds

    return parse


def _one_of(values: Mapping[str, Any]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in values:
            raise ValueError(f"{text!r} is not one of {', '.join(sorted(values))}")
        return text

    return parse


KEYS: dict[str, tuple[str, Callable[[str], Any]]] = {
    # 0 drains: the guide's queue reset sets it, although its validators refuse it.
    "provisioning.maxConcurrentOps": ("max_concurrent_ops", _integer(0, 50)),
    "provisioning.maxQueueSize": ("max_queue_size", _integer(10, 500)),
    "provisioning.operationTimeout": ("operation_timeout", _duration(60, 1800)),
    "provisioning.bmcCooldownPeriod": ("bmc_cooldown", _duration(1, 60)),
    "provisioning.workerCount": ("worker_count", _integer(1, 75)),
    "hostSelection.algorithm": ("selection_algorithm", _one_of(ALGORITHMS)),
    "hostSelection.retryLimit": ("claim_retry_limit", _integer(1, 10)),
    "hostSelection.backoffMultiplier": ("backoff_multiplier", _number(1.0, 3.0)),
    "hostSelection.maxBackoffDelay": ("max_backoff_delay", _duration(5, 300)),
    "bmc.connectionTimeout": ("connection_timeout", _duration(5, 120)),
    "bmc.requestTimeout": ("request_timeout", _duration(10, 300)),
    "bmc.maxRetries": ("bmc_max_retries", _integer(1, 10)),
    "bmc.retryDelay": ("bmc_retry_delay", _duration(1, 30)),
    "bmc.bootPollInterval": ("boot_poll_interval", _duration(1, 60)),
    "bmc.bootTimeout": ("boot_timeout", _duration(30, 7200)),
}
"""ConfigMap key -> (field of :class:`Tuning`, parser that raises ValueError).

``workerCount`` was capped at 20, which contradicts "1.5 times maxConcurrentOps" at the latter's
own maximum of 50; hence 75.
"""


def parse_tuning(data: Mapping[str, str], base: Tuning | None = None) -> Tuning:
    """The tuning that a ConfigMap's ``data`` asks for.

    Raises:
        ConfigError: naming every unknown key and every bad value.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for key, text in sorted(data.items()):
        if key not in KEYS:
            problems.append(f"{key}: unknown; known are {', '.join(sorted(KEYS))}")
            continue
        field_name, parse = KEYS[key]
        try:
            values[field_name] = parse(str(text))
        except ValueError as error:
            problems.append(f"{key}: {error}")
    if problems:
        raise ConfigError(problems)
    return replace(base or Tuning(), **values)


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """Seconds, as client-go's leader election names them."""

    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0


@dataclass(frozen=True, slots=True)
class ManagerSettings:
    """What the flags of ``beskar7 manager`` set; see :mod:`beskar7.cli`."""

    identity: str
    namespace: str = "beskar7-system"
    kubeconfig: str | None = None
    leader_elect: bool = True
    release_on_cancel: bool = True
    lease: LeaseSettings = field(default_factory=LeaseSettings)
    max_concurrent_reconciles: int = 10
    metrics_address: str = "127.0.0.1:8080"
    probe_address: str = "127.0.0.1:8081"
    require_owner_machine: bool = False
    shutdown_timeout: float = 10.0
    """Seconds that a stop may take: the Deployment's termination grace (facts section 7)."""
