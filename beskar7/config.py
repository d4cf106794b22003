"""The tuning of the controller: what the ConfigMap ``beskar7-config`` may say, and means.

Ranges and defaults are those of the documented configuration (facts section 7). An invalid
value is refused with its key, what was read and what would be right.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from beskar7.api.durations import format_duration, parse_duration
from beskar7.api.problems import closest
from beskar7.coordination.selection import ALGORITHMS
from beskar7.logs import LEVELS, STYLES, TIMES, LogSettings
from beskar7.redfish.vendors import GENERIC, VENDORS, Vendor

CONFIG_MAP_NAME = "beskar7-config"


class ConfigError(Exception):
    """One or more settings are wrong; ``problems`` has a line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """Seconds, as client-go's leader election names them."""

    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0


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
    retry_attempts: int | None = None
    """Repetitions of a BMC operation; None: as often as ``bmc_max_retries``."""
    exponential_backoff: bool = True
    """Whether the delay between repetitions of an operation doubles."""
    max_retry_delay: float | None = None
    """Upper end of that delay; None: ``max_backoff_delay``."""
    sync_period: float = 300.0
    """Every object is reconciled again after this time, in case that a change was missed. The
    documented default is 30 s; changes come by watches, so the longest allowed is enough."""
    reconcile_timeout: float = 120.0
    """A reconcile that took longer writes nothing more; it begins anew."""
    max_concurrent_reconciles: int = 10
    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0
    metrics_interval: float = 15.0
    """Between updates of the gauges that are measured and not counted."""
    profiling: bool = False
    """Trace allocations from the start, for ``/debug/pprof/heap``."""
    log: LogSettings = field(default_factory=LogSettings)
    suspect_worker_count: int = 16
    circuit_threshold: int = 3
    circuit_max_delay: float = 60.0
    vendor_cooldowns: Mapping[str, float] = field(default_factory=dict)
    vendor_ops: Mapping[str, int] = field(default_factory=dict)

    @property
    def lease(self) -> LeaseSettings:
        """The times of the manager's leader election."""
        return LeaseSettings(self.lease_duration, self.renew_deadline, self.retry_period)

    def cooldown(self, vendor: Vendor) -> float:
        """Seconds of rest for a BMC: what is set for its vendor, for all, else the vendor's own."""
        common = vendor.cooldown if self.bmc_cooldown is None else self.bmc_cooldown
        return self.vendor_cooldowns.get(vendor.name, common)

    @property
    def operation_retries(self) -> int:
        """How often a BMC operation that failed is repeated."""
        return self.bmc_max_retries if self.retry_attempts is None else self.retry_attempts

    def operation_delay(self, attempt: int) -> float:
        """Seconds before the repetition of a BMC operation's try ``attempt``, from 1."""
        longest = self.max_backoff_delay if self.max_retry_delay is None else self.max_retry_delay
        growth = 2.0 ** (attempt - 1) if self.exponential_backoff else 1.0
        return min(self.bmc_retry_delay * growth, longest)

    def concurrent_ops_by_vendor(self) -> dict[str, int]:
        """Writing operations at once on the BMCs of a vendor, for those with such a limit."""
        own = {
            vendor.name: vendor.max_concurrent_ops
            for vendor in VENDORS
            if vendor.max_concurrent_ops is not None
        }
        return {**own, **self.vendor_ops}


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.strip().lstrip("-").isdigit() or not low <= int(text) <= high:
            raise ValueError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    parse.__doc__ = f"a whole number from {low} to {high}"
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

    parse.__doc__ = f"a number from {low:g} to {high:g}"
    return parse


def _duration(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        seconds = parse_duration(text)
        if not low <= seconds <= high:
            raise ValueError(f"{text!r} is not a duration from {low:g}s to {high:g}s")
        return seconds

    parse.__doc__ = f"a duration from {format_duration(low)} to {format_duration(high)}"
    return parse


def _boolean(text: str) -> bool:
    """true or false"""
    if text not in ("true", "false"):
        raise ValueError(f'{text!r} is neither "true" nor "false"')
    return text == "true"


def _one_of(values: Collection[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in values:
            raise ValueError(f"{text!r} is not one of {', '.join(sorted(values))}")
        return text

    parse.__doc__ = f"one of {', '.join(sorted(values))}"
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
    "provisioning.retryAttempts": ("retry_attempts", _integer(0, 10)),
    "provisioning.exponentialBackoff": ("exponential_backoff", _boolean),
    "provisioning.maxRetryDelay": ("max_retry_delay", _duration(1, 600)),
    "reconcile.syncPeriod": ("sync_period", _duration(5, 300)),
    "reconcile.timeout": ("reconcile_timeout", _duration(60, 1800)),
    "reconcile.maxConcurrentReconciles": ("max_concurrent_reconciles", _integer(1, 50)),
    # An election's times are those of its start: these three count from a manager's next one.
    "leaderElection.leaseDuration": ("lease_duration", _duration(5, 60)),
    "leaderElection.renewDeadline": ("renew_deadline", _duration(3, 45)),
    "leaderElection.retryPeriod": ("retry_period", _duration(1, 10)),
    "metrics.interval": ("metrics_interval", _duration(1, 300)),
    "metrics.enableProfiling": ("profiling", _boolean),
    "log.level": ("log.level", _one_of(LEVELS)),
    "log.format": ("log.style", _one_of(STYLES)),
    "log.timeEncoding": ("log.times", _one_of(TIMES)),
    "log.stacktraceLevel": ("log.stacktraces", _one_of(LEVELS)),
    # The three below are our own: upstream had no protection from BMCs that do not answer (U35).
    "provisioning.suspectWorkerCount": ("suspect_worker_count", _integer(0, 64)),
    "bmc.circuitBreaker.failureThreshold": ("circuit_threshold", _integer(0, 20)),
    "bmc.circuitBreaker.maxRetryDelay": ("circuit_max_delay", _duration(5, 600)),
    **{
        f"bmc.vendor.{vendor.name}.{name}": (f"{group}.{vendor.name}", parse)
        for vendor in (*VENDORS, GENERIC)
        for name, group, parse in (
            ("cooldownPeriod", "vendor_cooldowns", _duration(1, 60)),
            ("maxConcurrentOps", "vendor_ops", _integer(0, 50)),
        )
    },
}
"""ConfigMap key -> (field of :class:`Tuning`, dotted within it; parser that raises ValueError).

``workerCount`` was capped at 20, which contradicts "1.5 times maxConcurrentOps" at the latter's
own maximum of 50; hence 75.
"""


def read_setting(key: str, text: str) -> tuple[str, Any]:
    """The field that ``key`` sets, and the value that ``text`` gives it.

    Raises:
        ValueError: the key is unknown, or what is right for it.
    """
    if key not in KEYS:
        raise ValueError(f"unknown; {closest(key, KEYS)}")
    field_name, parse = KEYS[key]
    return field_name, parse(text)


def parse_tuning(data: Mapping[str, str], fixed: Mapping[str, Any] | None = None) -> Tuning:
    """The tuning that a ConfigMap's ``data`` asks for; ``fixed`` holds fields that flags set.

    Raises:
        ConfigError: naming every unknown key, every bad value and every contradiction.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for key, text in sorted(data.items()):
        try:
            field_name, value = read_setting(key, str(text))
        except ValueError as error:
            problems.append(f"{key}: {error}")
            continue
        values[field_name] = value
    tuning = with_settings(Tuning(), {**values, **(fixed or {})})
    problems += [f"{key}: {text}" for key, text in contradictions(tuning)]
    if problems:
        raise ConfigError(problems)
    return tuning


def with_settings(base: Tuning, values: Mapping[str, Any]) -> Tuning:
    """``base`` with other values, by the fields' names as in :data:`KEYS`."""
    plain: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {"log": {}, "vendor_cooldowns": {}, "vendor_ops": {}}
    for name, value in values.items():
        group, _, inner = name.rpartition(".")
        (groups[group] if group else plain)[inner] = value
    return replace(
        base,
        **plain,
        log=replace(base.log, **groups["log"]),
        vendor_cooldowns={**base.vendor_cooldowns, **groups["vendor_cooldowns"]},
        vendor_ops={**base.vendor_ops, **groups["vendor_ops"]},
    )


def contradictions(tuning: Tuning) -> list[tuple[str, str]]:
    """(key, what is wrong) for values that are right by themselves, but not together."""
    found = []
    if tuning.renew_deadline >= tuning.lease_duration:
        found.append(
            (
                "leaderElection.renewDeadline",
                f"{tuning.renew_deadline:g}s must be shorter than "
                f"leaderElection.leaseDuration, {tuning.lease_duration:g}s",
            )
        )
    if tuning.retry_period >= tuning.renew_deadline:
        found.append(
            (
                "leaderElection.retryPeriod",
                f"{tuning.retry_period:g}s must be shorter than "
                f"leaderElection.renewDeadline, {tuning.renew_deadline:g}s",
            )
        )
    return found


def doubts(tuning: Tuning) -> list[tuple[str, str]]:
    """(key, advice) for values that work, but against the documented rules (facts section 12)."""
    found = []
    ops = tuning.max_concurrent_ops
    if ops == 0:
        found.append(("provisioning.maxConcurrentOps", "0 drains: no BMC operation will start"))
    elif tuning.worker_count < ops:
        found.append(
            (
                "provisioning.workerCount",
                f"{tuning.worker_count} workers cannot run {ops} operations at once; "
                f"1.5 to 2 times maxConcurrentOps is usual",
            )
        )
    if tuning.max_queue_size < 5 * ops:
        found.append(
            (
                "provisioning.maxQueueSize",
                f"{tuning.max_queue_size} is less than 5 times maxConcurrentOps ({ops})",
            )
        )
    if not 0.6 <= tuning.renew_deadline / tuning.lease_duration <= 0.8:
        found.append(
            (
                "leaderElection.renewDeadline",
                "60 to 80 % of leaderElection.leaseDuration is usual",
            )
        )
    return found
