"""Writes ``docs/configuration.md`` from the code: the ConfigMap's keys, the flags, the endpoints.

``--check`` only says whether the page is up to date.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import wholepage

from beskar7.api.admission import RULES
from beskar7.api.durations import format_duration
from beskar7.config import CONFIG_MAP_NAME, KEYS, Tuning
from beskar7.flags import TUNED, add_flags
from beskar7.profiling.pages import pages as profiles
from beskar7.redfish.vendors import GENERIC, VENDORS
from beskar7.runtime import VirtualRuntime

TARGET = Path(__file__).resolve().parents[1] / "docs" / "configuration.md"
MEANINGS = {
    "max_concurrent_ops": "Writing BMC operations at once. 0 drains: what runs ends, none begins.",
    "max_queue_size": "Writing BMC operations that may wait; more are turned away, and come again.",
    "operation_timeout": "A BMC operation that took longer is abandoned.",
    "bmc_cooldown": "Rest of a BMC from the end of a writing operation to the next, any vendor.",
    "worker_count": "BMC operations of all kinds at once.",
    "selection_algorithm": "Which free host a machine tries first.",
    "claim_retry_limit": "Hosts that a claim tries before it waits.",
    "backoff_multiplier": "By which that wait grows from one contended claim to the next.",
    "max_backoff_delay": "The longest such wait.",
    "connection_timeout": "To reach a BMC.",
    "request_timeout": "For one whole answer of a BMC.",
    "bmc_max_retries": "Repetitions of a BMC operation that failed.",
    "bmc_retry_delay": "Before the first repetition.",
    "boot_poll_interval": "Between looks whether a host has booted.",
    "boot_timeout": "For a boot to be done.",
    "retry_attempts": "Repetitions of a BMC operation that failed; wins over bmc.maxRetries.",
    "exponential_backoff": "Whether the delay between repetitions doubles.",
    "max_retry_delay": "The longest delay between repetitions.",
    "sync_period": "Every object is reconciled again after this time, if no change came before.",
    "reconcile_timeout": "A reconcile that took longer writes nothing more; it begins anew.",
    "max_concurrent_reconciles": "Reconciles at once, for each kind.",
    "lease_duration": "A lease that was not renewed for so long may be taken over.",
    "renew_deadline": "A leader that could not renew for so long stops to lead.",
    "retry_period": "Between attempts to get or renew a lease.",
    "metrics_interval": "Between updates of what is measured by the clock, and lines of log of it.",
    "profiling": "Trace allocations from the start, for `/debug/pprof/heap`.",
    "log.level": "The least severity that is logged.",
    "log.style": "Form of a line.",
    "log.times": "Form of its time.",
    "log.stacktraces": "The least severity that brings a stack.",
    "suspect_worker_count": "Operations, beside the workers, on BMCs that do not answer.",
    "circuit_threshold": "Failures in a row after which a BMC is left alone for a while. 0: never.",
    "circuit_max_delay": "The longest such while.",
    "vendor_cooldowns": "As `provisioning.bmcCooldownPeriod`, for this vendor.",
    "vendor_ops": "Writing operations at once on this vendor's BMCs.",
}
"""By the field of the tuning, or by the group of fields."""
UNSET = {
    "bmc_cooldown": "each vendor's own",
    "retry_attempts": "as `bmc.maxRetries`",
    "max_retry_delay": "as `hostSelection.maxBackoffDelay`",
}


def table(*rows: tuple[str, ...]) -> list[str]:
    head, *rest = rows
    return [f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rest)]


def said(value: Any, *, seconds: bool) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{format_duration(value)}`" if seconds else f"`{value}`"


def default_of(field: str, *, seconds: bool) -> str:
    """What holds where the ConfigMap has no such key."""
    group, _, inner = field.rpartition(".")
    for vendor in (*VENDORS, GENERIC):
        if inner == vendor.name and group == "vendor_cooldowns":
            return said(vendor.cooldown, seconds=True)
        if inner == vendor.name and group == "vendor_ops":
            limit = vendor.max_concurrent_ops
            return "no limit" if limit is None else said(limit, seconds=False)
    value: Any = Tuning()
    for part in field.split("."):
        value = getattr(value, part)
    return UNSET[field] if value is None else said(value, seconds=seconds)


def keys() -> list[str]:
    rows = [("key", "default", "value", "meaning")]
    for key, (field, parse) in KEYS.items():
        right = parse.__doc__ or ""
        group = field.partition(".")[0]
        meaning = MEANINGS[group if field not in MEANINGS else field]
        default = default_of(field, seconds=right.startswith("a duration"))
        rows.append((f"`{key}`", default, right, meaning))
    return table(*rows)


def flags() -> list[str]:
    """Those of ``beskar7 manager``, as they are without any environment variable."""
    with mock.patch.dict(os.environ, clear=True):
        parser = argparse.ArgumentParser(add_help=False)
        add_flags(parser)
    key_of = {field: key for key, (field, _) in KEYS.items()}
    rows = [("flag", "default", "meaning")]
    for action in parser._actions:
        if action.dest in TUNED:
            default = f"as `{key_of[TUNED[action.dest]]}`"
        elif action.default in (None, ""):
            default = ""
        else:
            default = said(action.default, seconds=isinstance(action.default, float))
        text = action.help or ""
        if action.choices:
            text = f"{text}{': ' if text else ''}{', '.join(action.choices)}"
        names = ", ".join(f"`{name}`" for name in action.option_strings)
        rows.append((names, default, text))
    return table(*rows)


def endpoints() -> list[str]:
    metrics = "`--metrics-bind-address`"
    probes = "`--health-probe-bind-address`"
    rows = [
        ("path", "at", "what"),
        ("`/metrics`", metrics, "[metrics](metrics.md), in Prometheus' text format"),
        ("`/debug/config`", metrics, "what is configured, by whom, and what is in force"),
        *(
            (f"`{path}`", metrics, "profiles, unless `--enable-pprof=false`")
            for path in profiles(VirtualRuntime(1))
        ),
        ("`/healthz`", probes, "200 while the process lives"),
        ("`/readyz`", probes, "200 once it reconciles, or follows a leader that it knows"),
        *(
            (f"`{path}`", "`--webhook-port`, HTTPS", f"{what} {rules.kind.kind}")
            for rules in RULES
            for path, what in ((rules.mutate_path, "completes"), (rules.validate_path, "judges"))
        ),
    ]
    return table(*rows)


def page() -> str:
    lines = [
        "# Configuration",
        "",
        "Written by `python ci/configuration_page.py` from the code; do not edit.",
        "",
        "A flag wins over the ConfigMap, and the ConfigMap over the default. "
        "`beskar7 check-config FILE` says what the controller would make of a file.",
        "",
        f"## The ConfigMap `{CONFIG_MAP_NAME}`",
        "",
        "It is followed while the managers run. A value that is refused, and a key that is "
        "unknown, leave the last good configuration in force, with a Warning event "
        "`InvalidConfiguration` and `beskar7_configuration_valid` 0. The times of "
        "`leaderElection` count from a manager's next election.",
        "",
        *keys(),
        "",
        "## The flags of `beskar7 manager`",
        "",
        *flags(),
        "",
        "The environment gives defaults to some: `POD_NAMESPACE`, `POD_NAME`, `RECONCILE_TIMEOUT`, "
        "`STUCK_STATE_TIMEOUT`, `MAX_RETRIES`, `BESKAR7_LOG_LEVEL`, "
        "`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`.",
        "",
        "## Endpoints",
        "",
        "What is below `/debug/` is served to the same machine alone, whatever is listened on.",
        "",
        *endpoints(),
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    return wholepage.main(TARGET, page, __file__, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
