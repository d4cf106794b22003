"""What a manager says of its tuning could be put into the ConfigMap as it is."""

from __future__ import annotations

import pytest

from beskar7.config import KEYS, Tuning, parse_tuning
from beskar7.effective import changes, effective

pytestmark = pytest.mark.unit


def test_what_is_said_is_what_is_read() -> None:
    data = {
        "provisioning.bmcCooldownPeriod": "45s",
        "provisioning.exponentialBackoff": "false",
        "provisioning.operationTimeout": "2m30s",
        "hostSelection.backoffMultiplier": "2.5",
        "log.level": "debug",
        "bmc.vendor.dell.cooldownPeriod": "5s",
        "bmc.vendor.dell.maxConcurrentOps": "2",
    }
    tuning = parse_tuning(data)
    said = effective(tuning)
    assert {key: said[key] for key in data} == data
    assert parse_tuning({key: text for key, text in said.items() if text is not None}) == tuning


def test_every_key_is_there_but_those_of_single_vendors() -> None:
    said = effective(Tuning())
    assert set(said) == {key for key in KEYS if not key.startswith("bmc.vendor.")}
    assert said["provisioning.bmcCooldownPeriod"] is None
    assert parse_tuning({key: text for key, text in said.items() if text is not None}) == Tuning()


def test_only_what_changed_is_told_and_no_other_key_or_value() -> None:
    """A search of the logs for "error" found each start: log.stacktraceLevel is error."""
    data = {"provisioning.bmcCooldownPeriod": "1s", "bmc.vendor.dell.maxConcurrentOps": "2"}
    tuning = parse_tuning(data)
    assert sorted(changes(Tuning(), tuning)) == [
        "bmc.vendor.dell.maxConcurrentOps=2",
        "provisioning.bmcCooldownPeriod=1s",
    ]
    assert sorted(changes(tuning, Tuning())) == [
        "bmc.vendor.dell.maxConcurrentOps=default",
        "provisioning.bmcCooldownPeriod=default",
    ]
    assert changes(tuning, tuning) == []
