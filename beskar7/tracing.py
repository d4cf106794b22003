"""What a claim went through, from end to end: its id in every log record, and spans on request.

A machine's uid is the id of its claim, and the id of its trace: whichever manager works for it,
now or after a restart, the records and spans belong together without being passed along.
"""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol
from uuid import UUID

from beskar7.runtime import Runtime

_ABOUT: contextvars.ContextVar[Mapping[str, str]] = contextvars.ContextVar("about", default={})  # noqa: B039 # never changed in place

FIELDS = ("machine", "host", "claim")
"""What a log record says of its subject, in this order."""


@contextmanager
def about(**fields: object) -> Iterator[None]:
    """Within, log records say of what they speak: machine, host and claim (a machine's uid).

    What is empty is left as it is around.
    """
    known = {name: str(value) for name, value in fields.items() if value}
    token = _ABOUT.set({**_ABOUT.get(), **known})
    try:
        yield
    finally:
        _ABOUT.reset(token)


def subject() -> Mapping[str, str]:
    """What is spoken of at this moment."""
    return _ABOUT.get()


class SubjectFilter(logging.Filter):
    """Gives each record its ``about``; passes all."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.about = subject()
        return True


class Tracer(Protocol):
    """Records how long parts of a claim took."""

    def span(
        self, name: str, claim: str, start: float, end: float, attributes: Mapping[str, Any]
    ) -> None:
        """``claim`` is the machine's uid; ``start`` and ``end`` are UTC seconds."""
        ...


class NoTracer:
    """Tracing is off."""

    def span(
        self, name: str, claim: str, start: float, end: float, attributes: Mapping[str, Any]
    ) -> None: ...


@contextmanager
def traced(
    tracer: Tracer, runtime: Runtime, name: str, claim: str, **attributes: object
) -> Iterator[None]:
    """A span around what is done within; its attribute ``outcome`` says how that ended."""
    start = runtime.wall()
    outcome = "error"
    try:
        yield
        outcome = "success"
    finally:
        tracer.span(name, claim, start, runtime.wall(), {**attributes, "outcome": outcome})


class TracingUnavailable(Exception):
    """The optional packages are missing; the message says what to install."""


class OpenTelemetryTracer:
    """Spans for an OpenTelemetry collector."""

    def __init__(self, exporter: Any, identity: str) -> None:
        """``exporter`` is an OpenTelemetry ``SpanExporter``; spans are sent in batches.

        Raises:
            TracingUnavailable: without the extra ``otel``.
        """
        try:
            from opentelemetry import trace
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            raise TracingUnavailable(MISSING) from None
        self._trace = trace
        resource = Resource.create({"service.name": "beskar7", "service.instance.id": identity})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("beskar7")

    @classmethod
    def to_collector(cls, endpoint: str, identity: str) -> OpenTelemetryTracer:
        """``endpoint``: URL of OTLP over HTTP, e.g. ``http://127.0.0.1:4318/v1/traces``.

        Raises:
            TracingUnavailable: without the extra ``otel``.
        """
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        except ImportError:
            raise TracingUnavailable(MISSING) from None
        return cls(OTLPSpanExporter(endpoint=endpoint), identity)

    def span(
        self, name: str, claim: str, start: float, end: float, attributes: Mapping[str, Any]
    ) -> None:
        try:
            identity = UUID(claim).int
        except ValueError:
            return  # nobody's work: what is done for no machine belongs to no claim
        trace = self._trace
        parent = trace.SpanContext(
            trace_id=identity,
            span_id=identity & 0xFFFF_FFFF_FFFF_FFFF or 1,
            is_remote=True,
            trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED),
        )
        context = trace.set_span_in_context(trace.NonRecordingSpan(parent))
        begun = self._tracer.start_span(
            name,
            context=context,
            start_time=round(start * 1e9),
            attributes={key: str(value) for key, value in attributes.items()},
        )
        begun.end(round(end * 1e9))

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


MISSING = "tracing needs OpenTelemetry: pip install 'beskar7-harness[otel]'"
