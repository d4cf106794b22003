"""Retry-After as seconds, as a date, as nonsense."""

from __future__ import annotations

from email.utils import formatdate

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from beskar7.redfish.bounded import MAX_RETRY_AFTER, retry_after
from beskar7.runtime import VirtualRuntime

pytestmark = pytest.mark.unit

RUNTIME = VirtualRuntime(0)


def answer(text: str, status: int = 503) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.headers["Retry-After"] = text
    return response


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("99999999999999999999", MAX_RETRY_AFTER),
        (formatdate(RUNTIME.wall() + 90, usegmt=True), 90.0),
        (formatdate(RUNTIME.wall() - 90, usegmt=True), 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER),
        ("soon", 0.0),
        ("-5", 0.0),
        ("", 0.0),
    ],
)
def test_how_long(text: str, seconds: float):
    assert retry_after(RUNTIME, answer(text)) == pytest.approx(seconds, abs=1.0)


def test_only_a_refusal_for_now_is_asked():
    assert retry_after(RUNTIME, answer("9", 429)) == 9.0
    assert retry_after(RUNTIME, answer("9", 200)) == 0.0
    assert retry_after(RUNTIME, answer("9", 301)) == 0.0


@given(st.text(max_size=40))
def test_whatever_it_says_is_bounded(text: str):
    response = answer("0")
    response.headers["Retry-After"] = text
    assert 0.0 <= retry_after(RUNTIME, response) <= MAX_RETRY_AFTER
