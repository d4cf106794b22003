"""Shrinking, with predicates that are functions of the document alone."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beskar7.api.durations import parse_duration
from scenarios.swarm.draw import draw
from scenarios.swarm.shrink import Document, Shrinker, values

pytestmark = pytest.mark.unit


def document(faults: int = 12) -> Document:
    return {
        "name": "large",
        "world": {"hosts": {"count": 9, "vendors": {"dell": 2, "hpe": 1}}, "config": {"a": "40"}},
        "load": {"machines": 14, "mix": [{"weight": 2}, {"weight": 1}]},
        "faults": [
            {"id": f"f{n}", "kind": "hang", "duration": "34.7s", "probability": 0.3}
            for n in range(faults)
        ],
        "acts": [{"at": f"{n}s", "kill_manager": {"target": "any"}} for n in range(4)],
        "limits": {"timeout": "2h"},
    }


def ids(found: Document) -> set[str]:
    return {fault.get("id") for fault in found.get("faults", [])}


def test_what_the_failure_needs_is_all_that_stays() -> None:
    def fails(found: Document) -> bool:
        hosts = found.get("world", {}).get("hosts", {}).get("count", 0)
        long = [parse_duration(fault.get("duration", "0s")) for fault in found.get("faults", [])]
        return {"f3", "f8"} <= ids(found) and hosts >= 2 and max(long) > 7.0

    shrinker = Shrinker(document(), fails, 2000, kept=frozenset({"limits"}))
    assert shrinker.shrink() == {
        "world": {"hosts": {"count": 2}},
        "faults": [{"id": "f3"}, {"id": "f8", "duration": "10s"}],
        "limits": {"timeout": "2h"},
    }


def test_it_is_deterministic() -> None:
    def fails(found: Document) -> bool:
        return len(found.get("faults", [])) + len(found.get("acts", [])) >= 5

    first, again = (Shrinker(document(), fails, 500) for _ in range(2))
    assert json.dumps(first.shrink()) == json.dumps(again.shrink())
    assert first.runs == again.runs


def test_the_budget_bounds_the_runs_and_no_document_is_played_twice() -> None:
    asked: list[str] = []

    def fails(found: Document) -> bool:
        asked.append(json.dumps(found, sort_keys=True))
        return "f3" in ids(found)

    Shrinker(document(), fails, 17).shrink()
    assert len(asked) == 17
    asked.clear()
    Shrinker(document(), fails, 5000).shrink()
    assert len(asked) == len(set(asked)) < 5000


def test_what_is_not_sound_is_not_played() -> None:
    def sound(found: Document) -> bool:
        return bool(found.get("world", {}).get("hosts", {}).get("count", 0) >= 4)

    def fails(found: Document) -> bool:
        assert sound(found)
        return True

    shrinker = Shrinker(document(), fails, 500, sound=sound)
    assert shrinker.shrink() == {"world": {"hosts": {"count": 4}}}


def test_an_interruption_leaves_the_smallest_so_far() -> None:
    runs = iter(range(1000))

    def fails(found: Document) -> bool:
        if next(runs) == 6:
            raise KeyboardInterrupt
        return "f3" in ids(found)

    shrinker = Shrinker(document(), fails, 500)
    with pytest.raises(KeyboardInterrupt):
        shrinker.shrink()
    assert "f3" in ids(shrinker.document)
    assert values(shrinker.document) < values(document())


@given(st.integers(0, 10_000), st.data())
@settings(max_examples=25, deadline=None)
def test_no_single_element_of_what_is_left_can_go(seed: int, data: Any) -> None:
    """Of what the predicate looks at: the result is minimal, and it still fails."""
    whole = draw(seed)
    faults = whole["faults"]
    needed = {f["id"] for f in faults if data.draw(st.booleans(), label=f["id"])}

    def fails(found: Document) -> bool:
        return needed <= ids(found)

    before = deepcopy(whole)
    found = Shrinker(whole, fails, 3000).shrink()
    assert whole == before, "the document that was given is left as it was"
    assert ids(found) - {None} == needed
    assert values(found) == len(needed)


@settings(deadline=None)
@given(st.integers(1, 900))
def test_durations_become_as_short_as_they_can_be_written(milliseconds: int) -> None:
    found = document(1)
    found["faults"][0]["duration"] = f"{milliseconds}ms"

    def fails(other: Document) -> bool:
        faults = other.get("faults", [])
        return len(faults) == 1 and "duration" in faults[0]

    shrinker = Shrinker(found, fails, 500)
    shrinker.shrink()
    assert parse_duration(shrinker.document["faults"][0]["duration"]) == 0.001
