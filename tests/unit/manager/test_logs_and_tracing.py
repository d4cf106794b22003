"""Log records say of which machine, host and claim they speak; spans of a claim share a trace."""

from __future__ import annotations

import json
import logging
import sys

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from beskar7.logs import ConsoleFormatter, JsonFormatter, LogSettings
from beskar7.runtime import VirtualRuntime
from beskar7.tracing import OpenTelemetryTracer, SubjectFilter, about, subject, traced

pytestmark = pytest.mark.unit

CLAIM = "0b0d5e3c-52a4-4f6e-9d7c-3f1c7e9f0a11"


def record(level: int = logging.INFO, *, failed: bool = False) -> logging.LogRecord:
    info = None
    if failed:
        try:
            raise ValueError("broken")
        except ValueError:
            info = sys.exc_info()
    made = logging.LogRecord("beskar7.controllers.claims", level, __file__, 1, "said", (), info)
    made.created = 1_790_000_000.25
    SubjectFilter().filter(made)
    return made


def test_a_record_says_what_it_is_about() -> None:
    with about(machine="default/worker-01", claim=CLAIM), about(host="default/host-7"):
        made = record()
    line = json.loads(JsonFormatter(LogSettings()).format(made))
    assert (line["machine"], line["host"], line["claim"]) == (
        "default/worker-01",
        "default/host-7",
        CLAIM,
    )
    text = ConsoleFormatter(LogSettings()).format(made)
    assert text.endswith(f"said [machine=default/worker-01 host=default/host-7 claim={CLAIM}]")
    assert "machine" not in json.loads(JsonFormatter(LogSettings()).format(record()))


@pytest.mark.parametrize(
    ("times", "begins"),
    [
        ("rfc3339", "2026-09-21T14:13:20Z"),
        ("rfc3339nano", "2026-09-21T14:13:20.250000Z"),
        ("iso8601", "2026-09-21T14:13:20.250Z"),
        ("epoch", "1790000000.250000"),
        ("millis", "1790000000250.000"),
        ("nano", "1790000000250000000"),
    ],
)
def test_times_have_the_form_that_was_asked_for(times: str, begins: str) -> None:
    assert ConsoleFormatter(LogSettings(times=times)).format(record()).startswith(begins + " ")


def test_stacks_are_shown_from_their_level_on() -> None:
    formatter = ConsoleFormatter(LogSettings(stacktraces="error"))
    assert "ValueError: broken" not in formatter.format(record(logging.WARNING, failed=True))
    assert "ValueError: broken" in formatter.format(record(logging.ERROR, failed=True))


def test_tasks_of_virtual_time_do_not_mix_their_subjects() -> None:
    runtime = VirtualRuntime(seed=1)
    seen: dict[str, str] = {}

    def work(name: str) -> None:
        with about(machine=name):
            runtime.sleep(1.0)
            seen[name] = subject()["machine"]

    def main() -> None:
        tasks = [runtime.spawn(work, name, name=name) for name in ("one", "two")]
        assert all(task.join(5.0) for task in tasks)

    runtime.run(main)
    assert seen == {"one": "one", "two": "two"}
    assert not subject()


def test_spans_of_one_claim_are_one_trace_whoever_made_them() -> None:
    exporters = [InMemorySpanExporter(), InMemorySpanExporter()]
    runtime = VirtualRuntime(seed=1)
    tracers = [OpenTelemetryTracer(exporter, f"manager-{exporter}") for exporter in exporters]
    with traced(tracers[0], runtime, "claim", CLAIM, host="default/host-7"):
        pass
    with (
        pytest.raises(ValueError, match="broken"),
        traced(tracers[1], runtime, "bmc provision", CLAIM),
    ):
        raise ValueError("broken")
    for tracer in tracers:
        tracer.close()
    spans = {span.name: span for each in exporters for span in each.get_finished_spans()}
    assert {f"{span.context.trace_id:032x}" for span in spans.values()} == {CLAIM.replace("-", "")}
    assert spans["claim"].attributes["host"] == "default/host-7"
    assert spans["claim"].attributes["outcome"] == "success"
    assert spans["bmc provision"].attributes["outcome"] == "error"
