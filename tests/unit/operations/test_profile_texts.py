"""A manager's own profile pages, read back as counts: row 18 of the guide's blocks."""

from __future__ import annotations

import threading

import pytest

from beskar7.operations.profiletext import heap_by_site, profile_of, tasks_by_name
from beskar7.profiling import heap
from beskar7.profiling.pages import pages
from beskar7.runtime import LiveRuntime

pytestmark = pytest.mark.unit


def page(path: str, **query: str) -> str:
    return pages(LiveRuntime())[path](query).body.decode()


def test_row_18_each_task_counts_as_one_and_not_all_lines_as_one() -> None:
    done = threading.Event()
    started = [threading.Event() for _ in range(3)]

    def run(number: int) -> None:
        started[number].set()
        done.wait(30)

    threads = [threading.Thread(target=run, args=(n,), name=f"lost-beskar7-{n}") for n in range(3)]
    for thread in threads:
        thread.start()
    try:
        assert all(event.wait(30) for event in started)
        found = tasks_by_name(page("/debug/pprof/goroutine", debug="1"))
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert found["lost-beskar7-#"] == 3


def test_row_18_allocations_are_told_by_who_made_them() -> None:
    heap.keep_tracing()
    try:
        kept = [bytearray(10240) for _ in range(300)]
        found = profile_of("", page("/debug/pprof/heap", debug="1", seconds="0.01"))
    finally:
        heap.stop_tracing()
    assert len(kept) == 300
    own = [size for site, size in found.heap.items() if "test_profile_texts.py:" in site]
    assert max(own) > 300 * 10240
    assert found.memory >= max(own)


def test_allocations_of_a_moment_are_not_what_is_kept() -> None:
    text = page("/debug/pprof/heap", debug="1", seconds="0.01")
    assert "while this was taken" in text
    found = profile_of("", text)
    assert (found.memory, found.heap) == (0, {})


def test_the_same_line_reached_by_two_ways_is_told_by_our_own_nearest_line() -> None:
    text = """9 bytes in use of what was allocated since tracing began
100 bytes in 2 objects
    json/decoder.py:353
    beskar7/kube/stream.py:80
    beskar7/kube/reflector.py:9
50 bytes in 1 object
    json/decoder.py:353
    beskar7/redfish/bounded.py:7
7 bytes in 1 object
    beskar7/kube/stream.py:80
3 bytes in 1 object
    threading.py:1
5 bytes in 1 object
    threading.py:1

live objects by type
     1234 dict
"""
    assert heap_by_site(text.splitlines()) == {
        "beskar7/kube/stream.py:80": 7,
        "json/decoder.py:353 from beskar7/kube/stream.py:80": 100,
        "json/decoder.py:353 from beskar7/redfish/bounded.py:7": 50,
        "threading.py:1": 8,
    }


@pytest.mark.parametrize(
    "text", ["", "goroutine", "goroutine 1 [x]", "\n\n", "12 bytes in 1 object"]
)
def test_what_is_no_page_counts_nothing(text: str) -> None:
    assert tasks_by_name(text) == {}
    assert heap_by_site(text.splitlines()) == {}
