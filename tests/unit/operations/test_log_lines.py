"""What the managers write is read back, whatever format and time format they were told to use."""

from __future__ import annotations

import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beskar7.logs import TIMES, ConsoleFormatter, JsonFormatter, LogSettings
from beskar7.operations.loglines import parse_line, parse_time, read_lines, read_logs

pytestmark = pytest.mark.unit

FORMATS = {"json": JsonFormatter, "console": ConsoleFormatter}
ABOUT = {"machine": "default/worker-01", "host": "default/host-7", "claim": "0f-1"}


def record(message: str, at: float, about: dict[str, str], level: int = logging.INFO) -> object:
    made = logging.LogRecord("beskar7.controllers.claims", level, "f", 1, message, (), None)
    made.created = at
    made.about = about
    return made


@pytest.mark.parametrize("style", FORMATS)
@pytest.mark.parametrize("times", TIMES)
def test_every_format_and_time_format_is_read_back(style: str, times: str) -> None:
    formatter = FORMATS[style](LogSettings(times=times))
    at = 1764232086.125
    line = parse_line(formatter.format(record("claimed host a/b for machine c/d", at, ABOUT)))
    assert line is not None
    assert line.message == "claimed host a/b for machine c/d"
    assert line.about == ABOUT
    assert line.logger == "controllers.claims"
    assert line.level == "info"
    precision = 1.0 if times == "rfc3339" else 1e-3
    assert line.at == pytest.approx(at, abs=precision)


@given(
    st.sampled_from(sorted(FORMATS)),
    st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=80),
    st.dictionaries(
        st.sampled_from(["machine", "host", "claim"]),
        st.from_regex(r"[a-z0-9][a-z0-9./-]{0,20}", fullmatch=True),
    ),
    st.floats(1e9, 4e9),
)
def test_any_message_comes_back_with_its_fields(
    style: str, message: str, about: dict[str, str], at: float
) -> None:
    message = message.strip()
    line = parse_line(FORMATS[style](LogSettings()).format(record(message, at, about)))
    assert line is not None
    if about or not message.endswith("]"):
        assert (line.message, line.about) == (message, about)
    assert line.at == pytest.approx(at, abs=2e-6)


@given(st.text(max_size=200))
def test_what_is_no_record_is_none(text: str) -> None:
    line = parse_line(text)
    assert line is None or line.at >= 0


def test_a_stack_belongs_to_its_record() -> None:
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        failed = record("failed", 1764232086.0, {}, logging.ERROR)
        failed.exc_info = sys.exc_info()  # type: ignore[attr-defined] # as logging has it
    lines = ConsoleFormatter(LogSettings()).format(failed).splitlines()
    lines.append(ConsoleFormatter(LogSettings()).format(record("next", 1764232087.0, {})))
    first, second = read_lines(lines)
    assert first.stack[-1] == "RuntimeError: broken"
    assert (second.message, second.stack) == ("next", [])


def test_records_of_all_managers_are_in_the_order_of_time_not_of_their_text() -> None:
    epoch = ConsoleFormatter(LogSettings(times="epoch"))
    iso = JsonFormatter(LogSettings(times="iso8601"))
    logs = {
        "pod-a": [epoch.format(record(text, at, {})) for text, at in (("1", 1e9), ("3", 3e9))],
        "pod-b": [iso.format(record("2", 2e9, {}))],
    }
    found = read_logs(logs)
    assert [(line.message, line.manager) for line in found] == [
        ("1", "pod-a"),
        ("2", "pod-b"),
        ("3", "pod-a"),
    ]


@pytest.mark.parametrize("text", ["", "nan", "inf", "-1", "2026-11-27", "12:00:00", "1e30"])
def test_what_is_no_time_of_a_record(text: str) -> None:
    assert parse_time(text) is None
