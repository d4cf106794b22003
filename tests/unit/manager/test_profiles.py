"""Profiles show what really runs, and have the form that pprof reads."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator

import pytest

from beskar7.profiling import cpu, heap, pprof
from beskar7.profiling.pages import pages
from beskar7.profiling.pprof import Call
from beskar7.runtime import LiveRuntime

pytestmark = pytest.mark.unit


def busy_work(done: object) -> None:
    while not done.is_set():  # type: ignore[attr-defined] # an Event
        hashlib.sha256(b"x" * 10_000).digest()


def idle_work(done: object) -> None:
    done.wait()  # type: ignore[attr-defined] # an Event


@pytest.fixture
def workers() -> Iterator[LiveRuntime]:
    runtime = LiveRuntime()
    done = runtime.event()
    tasks = [runtime.spawn(busy_work, done, name="busy-1")]
    tasks += [runtime.spawn(idle_work, done, name="idle-1")]
    yield runtime
    done.set()
    for task in tasks:
        assert task.join(5.0)


def test_the_processor_profile_shows_who_works_and_not_who_waits(workers: LiveRuntime) -> None:
    samples = cpu.sample(workers, 0.5)
    names = {call.function for stack in samples for call in stack}
    assert "busy_work" in names
    spent = dict.fromkeys(("busy_work", "idle_work"), 0)
    for stack, (nanoseconds, _) in samples.items():
        for name in spent:
            if any(call.function == name for call in stack):
                spent[name] += nanoseconds
    assert spent["busy_work"] > 20 * spent["idle_work"]
    assert spent["busy_work"] < 0.6e9  # no thread runs longer than the time that passes


def test_each_task_has_a_line_with_the_word_that_scripts_count(workers: LiveRuntime) -> None:
    text = pages(workers)["/debug/pprof/goroutine"]({"debug": "1"}).body.decode()
    lines = [line for line in text.splitlines() if "goroutine" in line]
    assert any("[busy-1]" in line for line in lines)
    assert any("[idle-1]" in line for line in lines)
    assert "busy_work" in text


def test_the_heap_profile_shows_what_was_kept(workers: LiveRuntime) -> None:
    kept: list[bytearray] = []

    def hoard() -> None:
        workers.sleep(0.05)
        kept.extend(bytearray(1000) for _ in range(2000))

    task = workers.spawn(hoard, name="hoard")
    samples = heap.in_use(workers, 0.5)
    assert task.join(5.0)
    ours = [
        size
        for stack, (_, size) in samples.items()
        if stack and stack[0].file == __file__ and size > 1_000_000
    ]
    assert ours
    assert kept
    assert "live objects by type" in heap.text(samples)


@pytest.mark.parametrize("seconds", ["0", "-1", "many", "1e9", "nan"])
def test_a_senseless_duration_is_refused(workers: LiveRuntime, seconds: str) -> None:
    for path in ("/debug/pprof/profile", "/debug/pprof/heap"):
        answer = pages(workers)[path]({"seconds": seconds})
        assert answer.status == 400
        assert b"seconds" in answer.body


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message, read independently of the writer."""
    at = 0

    def varint() -> int:
        nonlocal at
        shift = value = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
            shift += 7

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        else:
            assert key & 7 == 2
            length = varint()
            yield key >> 3, data[at : at + length]
            at += length


def test_the_pprof_form_says_what_was_sampled() -> None:
    inner, outer = Call("inner", "a.py", 300), Call("outer", "b.py", 7)
    body = pprof.encode(
        {(inner, outer): (1500, 3), (outer,): (20, 1)},
        (("cpu", "nanoseconds"), ("samples", "count")),
        wall=12.5,
        duration=2.0,
    )
    profile = list(fields(gzip.decompress(body)))
    strings = [value.decode() for number, value in profile if number == 6]  # type: ignore[union-attr] # bytes
    assert strings[0] == ""
    functions = {
        dict(fields(value))[1]: strings[dict(fields(value))[2]]  # type: ignore[arg-type,index] # bytes
        for number, value in profile
        if number == 5
    }
    locations = {}
    for number, value in profile:
        if number == 4:
            location = dict(fields(value))  # type: ignore[arg-type] # bytes
            line = dict(fields(location[4]))  # type: ignore[arg-type] # bytes
            locations[location[1]] = (functions[line[1]], line[2])
    first = dict(fields(next(value for number, value in profile if number == 2)))  # type: ignore[arg-type] # bytes
    assert [locations[number] for number in first[1]] == [("inner", 300), ("outer", 7)]  # type: ignore[union-attr] # bytes
    assert dict(profile)[9] == 12_500_000_000
    assert dict(profile)[10] == 2_000_000_000


def test_folded_stacks_read_from_the_outside_in() -> None:
    stack = (Call("inner", pprof.__file__, 3), Call("outer", hashlib.__file__, 7))
    inner, outer = "inner (beskar7/profiling/pprof.py:3)", "outer (hashlib.py:7)"
    assert pprof.folded({stack: (42, 1)}) == f"{outer};{inner} 42\n"
    assert pprof.short("/nowhere/a.py") == "/nowhere/a.py"


def test_the_heaps_text_says_what_was_traced(workers: LiveRuntime) -> None:
    def head() -> str:
        return pages(workers)["/debug/pprof/heap"]({"debug": "1", "seconds": "0.01"}).body.decode()

    assert "allocated while this was taken" in head().partition("\n")[0]
    heap.keep_tracing()
    try:
        assert "allocated since tracing began" in head().partition("\n")[0]
        assert "profiling/heap.py:" not in head()  # the profile is not in its own picture
    finally:
        heap.stop_tracing()
