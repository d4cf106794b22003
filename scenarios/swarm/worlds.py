"""A world of a seed: its hosts, its managers with their flags, and their configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulator.bmc.personalityfile import personalities
from scenarios.swarm.dice import Dice, Draws

TAGS = ("gpu", "nvme", "sriov")
LABELS = (("example.com/tier", ("gold", "silver")), ("example.com/row", ("a", "b")))
MAX_HOSTS = 10
"""Bugs of coordination need few hosts: what ten do not show, a swarm finds faster with three."""
CROWD = 14
"""More hosts than the smallest provisioning queue (10) has places for: only so can it be full."""

CONFIG: Mapping[str, tuple[str, ...]] = {
    "provisioning.maxConcurrentOps": ("1", "2", "3", "8", "50"),
    "provisioning.maxQueueSize": ("10", "11", "50", "500"),
    "provisioning.operationTimeout": ("60s", "90s", "5m"),
    "provisioning.workerCount": ("1", "2", "5", "20", "75"),
    "provisioning.suspectWorkerCount": ("0", "1", "4", "64"),
    "provisioning.retryAttempts": ("0", "1", "3", "10"),
    "provisioning.exponentialBackoff": ("true", "false"),
    "provisioning.maxRetryDelay": ("1s", "10s", "60s"),
    "hostSelection.algorithm": (
        *("deterministic", "round-robin", "priority"),
        *("first-available", "upstream"),
    ),
    "hostSelection.retryLimit": ("1", "2", "10"),
    "hostSelection.backoffMultiplier": ("1.0", "1.5", "3.0"),
    "hostSelection.maxBackoffDelay": ("5s", "30s", "120s"),
    "bmc.connectionTimeout": ("5s", "30s"),
    "bmc.maxRetries": ("1", "3", "10"),
    "bmc.retryDelay": ("1s", "5s", "30s"),
    "bmc.bootPollInterval": ("1s", "3s", "20s"),
    "bmc.circuitBreaker.failureThreshold": ("0", "1", "3", "20"),
    "bmc.circuitBreaker.maxRetryDelay": ("5s", "20s", "90s"),
    "bmc.vendor.dell.cooldownPeriod": ("1s", "3s", "12s"),
    "bmc.vendor.generic.cooldownPeriod": ("1s", "7s"),
    "bmc.vendor.hpe.maxConcurrentOps": ("1", "2", "50"),
    "bmc.vendor.supermicro.maxConcurrentOps": ("1", "3"),
    "bmc.vendor.generic.maxConcurrentOps": ("1", "2"),
    "reconcile.syncPeriod": ("5s", "30s", "300s"),
    "reconcile.timeout": ("60s", "120s"),
    "reconcile.maxConcurrentReconciles": ("1", "2", "10", "50"),
    "metrics.interval": ("1s", "15s", "300s"),
}
"""Values of keys of the ConfigMap, with the ends of their ranges where a run can bear them.

The times of boots, requests and cooldowns and of the election are drawn by functions, as whole
worlds hang on them. Logging and profiling change nothing that is judged. A limit of 0 drains: acts
set it and take it back.
"""

FLAGS: Mapping[str, tuple[str, ...]] = {
    "max-concurrent-reconciles": ("1", "3", "50"),
    "reconcile-timeout": ("20s", "60s", "10m"),
    "stuck-state-timeout": ("60s", "3m", "15m"),
    "max-retries": ("0", "1", "20"),
    "leader-elect-release-on-cancel": ("true", "false"),
    "enable-security-monitoring": ("true", "false"),
}

LEASES = (
    ("2s", "1500ms", "200ms"),
    ("3s", "2s", "500ms"),
    ("4s", "3s", "2s"),
    ("8s", "5s", "1s"),
    ("15s", "10s", "2s"),
)
"""Duration, renew deadline, retry period: from hurried to Kubernetes' own."""


def draw_world(draws: Draws) -> dict[str, Any]:
    return {
        "hosts": draw_hosts(draws.of("hosts")),
        "managers": draw_managers(draws),
        "config": draw_config(draws),
    }


def draw_hosts(dice: Dice) -> dict[str, Any]:
    count = dice.pick((1, 2, 2, 3, 3, 4, 4, 5, 6, 8, MAX_HOSTS, CROWD, CROWD))
    vendors = dice.some(tuple(personalities()), 5)
    hosts: dict[str, Any] = {
        "count": count,
        "vendors": {name: dice.whole(1, 3) for name in vendors},
        "racks": dice.whole(1, 3),
    }
    if dice.chance(0.2):
        hosts |= {"cores": dice.pick((1, 16, 64)), "memory_gib": dice.pick((8, 64, 512))}
    if dice.chance(0.2):
        hosts |= _marks(dice)
    left = count
    groups: list[dict[str, Any]] = []
    while left and len(groups) < 3 and dice.chance(0.4):
        size = dice.whole(1, left)
        left -= size
        groups.append({"count": size, **_marks(dice)})
        if dice.chance(0.5):
            groups[-1] |= {"cores": dice.pick((8, 48, 64)), "memory_gib": dice.pick((32, 256, 512))}
    if groups:
        hosts["groups"] = groups
    hosts["scale"] = {
        "boot": dice.pick((0.002, 0.005, 0.02, 0.05)),
        "latency": dice.pick((0.02, 0.1, 0.5, 1.0)),
    }
    return hosts


def _marks(dice: Dice) -> dict[str, Any]:
    """Tags and labels."""
    marks: dict[str, Any] = {}
    if dice.chance(0.6):
        marks["tags"] = dice.some(TAGS, 2)
    if dice.chance(0.6):
        marks["labels"] = {key: dice.pick(values) for key, values in dice.some(LABELS, 2)}
    return marks


def draw_managers(draws: Draws) -> dict[str, Any]:
    dice = draws.of("managers")
    replicas = dice.pick((1, 1, 2, 2, 2, 3, 3, 4))
    args: dict[str, str] = {}
    if replicas == 1 and dice.chance(0.15):
        args["leader-elect"] = "false"
    else:
        args |= draw_election(draws)
    dice = draws.of("flags")
    for name, values in FLAGS.items():
        if dice.chance(0.12):
            args[name] = dice.pick(values)
    return {"replicas": replicas, **({"args": args} if args else {})}


def draw_election(draws: Draws) -> dict[str, str]:
    """The flags of leader election, of the managers and of the claim coordinator."""
    dice = draws.of("election")
    args = _lease(dice, "leader-elect") if dice.chance(0.9) else {}
    if dice.chance(0.35):
        args |= {"enable-claim-coordinator-leader-election": "true"}
        args |= _lease(dice, "claim-coordinator")
    return args


def _lease(dice: Dice, prefix: str) -> dict[str, str]:
    names = ("lease-duration", "renew-deadline", "retry-period")
    return {f"{prefix}-{name}": value for name, value in zip(names, dice.pick(LEASES), strict=True)}


def draw_config(draws: Draws) -> dict[str, str]:
    """Settings that can be told from any other. See :data:`CONFIG`."""
    dice = draws.of("config")
    config = {
        "bmc.requestTimeout": dice.pick(("10s", "10s", "15s", "60s")),
        "bmc.bootTimeout": dice.pick(("30s", "60s", "3m")),
    }
    if dice.chance(0.9):
        config["provisioning.bmcCooldownPeriod"] = dice.pick(("1s", "1s", "2s", "4s", "9s"))
    # In most worlds little is unusual, in some nearly everything.
    share = dice.pick((0.0, 0.05, 0.1, 0.3, 0.6))
    for key, values in CONFIG.items():
        dice = draws.of(f"config/{key}")
        if dice.chance(share):
            config[key] = dice.pick(values)
    return config
