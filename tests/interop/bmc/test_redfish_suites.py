"""The DMTF's validators find nothing wrong with our BMCs."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.interop


def test_protocol_validator(suites: ModuleType, service: Any, tmp_path: Path) -> None:
    counts = suites.protocol_validator(service[0], tmp_path)
    assert counts.ran, counts.said
    assert counts.failed == 0, counts.said
    assert counts.warned == 0
    assert counts.passed > 350


def test_use_case_checkers(suites: ModuleType, service: Any, tmp_path: Path) -> None:
    counts = suites.use_case_checkers(service[0], tmp_path)
    assert counts.ran, counts.said
    assert counts.failed == counts.warned == 0, counts.said
    assert counts.passed > 60


def test_service_validator_as_far_as_it_goes_offline(
    suites: ModuleType, service: Any, tmp_path: Path
) -> None:
    counts = suites.service_validator(service[0], tmp_path)
    assert counts.ran, counts.said
    assert counts.failed == 0, counts.said
    # A warning for each resource: it has no schema files to check it against.
    assert counts.warned > 60
