"""The ConfigMap beskar7-config: defaults, ranges, clear refusals; and durations."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import beskar7
from beskar7.api.durations import format_duration, parse_duration
from beskar7.config import KEYS, ConfigError, Tuning, parse_tuning
from beskar7.logs import LogSettings
from beskar7.redfish.vendors import GENERIC, VENDORS, vendor_of

pytestmark = pytest.mark.unit


def test_no_data_gives_the_documented_defaults():
    tuning = parse_tuning({})
    assert (tuning.max_concurrent_ops, tuning.max_queue_size, tuning.worker_count) == (5, 50, 3)
    assert tuning.bmc_cooldown is None, "each vendor's own"


def test_values_are_read():
    tuning = parse_tuning(
        {"provisioning.maxConcurrentOps": "0", "provisioning.bmcCooldownPeriod": "30s"}
    )
    assert tuning.max_concurrent_ops == 0
    assert tuning.bmc_cooldown == 30.0


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("provisioning.maxConcurrentOps", "51", "from 0 to 50"),
        ("provisioning.maxConcurrentOps", "five", "whole number"),
        ("provisioning.bmcCooldownPeriod", "10", "10s"),
        ("provisioning.bmcCooldownPeriod", "2m", "from 1s to 60s"),
        ("hostSelection.algorithm", "random", "deterministic"),
        ("bmc.vendor.dell.cooldownPeriod", "2m", "from 1s to 60s"),
        ("bmc.vendor.acme.maxConcurrentOps", "1", "unknown"),
        ("hostSelection.backoffMultiplier", "nan", "from 1 to 3"),
        ("provisioning.maxconcurrentops", "5", "unknown"),
    ],
)
def test_bad_values_are_refused_with_what_would_be_right(key: str, value: str, said: str):
    with pytest.raises(ConfigError, match=said) as caught:
        parse_tuning({key: value})
    assert key in str(caught.value)


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        parse_tuning({"provisioning.workerCount": "0", "provisioning.maxQueueSize": "1"})
    assert len(caught.value.problems) == 2


@pytest.mark.upstream("U34")
def test_no_key_is_read_nowhere():
    """Each setting is looked at by some code of the controller besides its own definition."""
    looked_at = set()
    for path in Path(beskar7.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                looked_at.add(node.attr)
    fields = {field for field, _ in KEYS.values()}
    names = {field.partition(".")[0] if "vendor_" in field else field for field in fields}
    assert {name.removeprefix("log.") for name in names} <= looked_at


@pytest.mark.upstream("U34")
def test_repetitions_of_an_operation_are_counted_and_spaced_as_is_said():
    plain = Tuning(bmc_max_retries=3, bmc_retry_delay=5.0, max_backoff_delay=30.0)
    assert plain.operation_retries == 3
    assert [plain.operation_delay(attempt) for attempt in (1, 2, 3, 4)] == [5.0, 10.0, 20.0, 30.0]
    own = parse_tuning(
        {
            "provisioning.retryAttempts": "0",
            "provisioning.exponentialBackoff": "false",
            "provisioning.maxRetryDelay": "4s",
        }
    )
    assert own.operation_retries == 0
    assert [own.operation_delay(attempt) for attempt in (1, 9)] == [4.0, 4.0]
    steady = Tuning(exponential_backoff=False, bmc_retry_delay=5.0)
    assert steady.operation_delay(9) == 5.0


def test_every_key_names_a_field():
    known = {*Tuning.__slots__, *(f"log.{name}" for name in LogSettings.__slots__)}
    for vendor in (*VENDORS, GENERIC):
        known |= {f"vendor_cooldowns.{vendor.name}", f"vendor_ops.{vendor.name}"}
    assert {name for name, _ in KEYS.values()} <= known


def test_a_vendors_values_go_before_those_for_all_and_its_own():
    tuning = parse_tuning(
        {
            "provisioning.bmcCooldownPeriod": "30s",
            "bmc.vendor.dell.cooldownPeriod": "5s",
            "bmc.vendor.dell.maxConcurrentOps": "2",
        }
    )
    assert tuning.cooldown(vendor_of("Dell Inc.")) == 5.0
    assert tuning.cooldown(vendor_of("HPE")) == 30.0
    assert parse_tuning({}).cooldown(vendor_of("HPE")) == 8.0
    limits = tuning.concurrent_ops_by_vendor()
    assert limits["dell"] == 2
    assert limits["supermicro"] == 4, "the vendor's own"
    assert "lenovo" not in limits


def test_what_a_flag_sets_holds_against_the_config_map():
    fixed = {"max_concurrent_reconciles": 7, "log.level": "debug"}
    tuning = parse_tuning(
        {"reconcile.maxConcurrentReconciles": "3", "log.level": "error", "log.format": "json"},
        fixed,
    )
    assert tuning.max_concurrent_reconciles == 7
    assert (tuning.log.level, tuning.log.style) == ("debug", "json")
    with pytest.raises(ConfigError, match="renewDeadline"):
        parse_tuning({"leaderElection.renewDeadline": "20s"}, {"lease_duration": 15.0})


@given(st.integers(0, 10**7).map(lambda millis: millis / 1000))
def test_durations_survive_being_written_and_read(seconds: float):
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=1e-5)


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_refused(text: str):
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        refusal = str(error)
    else:
        assert seconds >= 0
        return
    assert "not a duration" in refusal
