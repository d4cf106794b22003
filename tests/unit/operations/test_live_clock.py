"""The API server's clock decides what is stale, whatever this machine's clock says."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import pytest

from beskar7.operations.live import CLOCK_TOLERANCE, _clock_ahead

pytestmark = pytest.mark.unit

OURS = 1_800_000_000.0


def ahead(date: str | None) -> float:
    headers = {} if date is None else {"Date": date}

    def read(path: str, *, limit: int) -> tuple[bytes, Mapping[str, str]]:
        return b"{}", headers

    kube: Any = SimpleNamespace(read=read)
    runtime: Any = SimpleNamespace(wall=lambda: OURS)
    return _clock_ahead(kube, runtime)


@pytest.mark.parametrize("seconds", [-86_400, -60, 60, 3600])
def test_a_clock_that_is_off_is_told_to_the_half_second(seconds: int) -> None:
    assert ahead(formatdate(OURS + seconds, usegmt=True)) == pytest.approx(seconds, abs=0.5)


@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_what_whole_seconds_cannot_tell_is_no_difference(seconds: int) -> None:
    assert abs(seconds) < CLOCK_TOLERANCE
    assert ahead(formatdate(OURS + seconds, usegmt=True)) == 0.0


@pytest.mark.parametrize("date", [None, "", "yesterday", "Mon, 99 Foo 2026 00:00:00 GMT"])
def test_a_server_that_does_not_say_is_taken_to_be_right(date: str | None) -> None:
    assert ahead(date) == 0.0
