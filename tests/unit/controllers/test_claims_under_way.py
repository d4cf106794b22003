"""What is put off while claims are under way, and until when."""

from __future__ import annotations

from typing import Any

import pytest

from beskar7.api.hostclaims import ClaimPhase
from beskar7.api.kinds import HOST_CLAIM, PHYSICAL_HOST
from beskar7.api.meta import ObjectKey
from beskar7.controllers.underway import FOLLOW_UP_PRIORITY, LONGEST, ClaimsUnderWay, claimant
from beskar7.runtime import VirtualRuntime

ONE, TWO = ObjectKey("default", "one"), ObjectKey("default", "two")


class Woken:
    """Stands for a controller: what was put into its queue."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, int]] = []
        self.queue = self

    def add(self, request: str, *, priority: int) -> None:
        self.requests.append((request, priority))


def host(owner: str = "") -> dict[str, Any]:
    spec = {"consumerRef": {"namespace": "default", "name": owner, "uid": owner}} if owner else {}
    return {"kind": PHYSICAL_HOST.kind, "metadata": {"name": "h"}, "spec": spec}


def claim(phase: str = "") -> dict[str, Any]:
    return {
        "kind": HOST_CLAIM.kind,
        "metadata": {"namespace": "default", "name": "one"},
        "spec": {},
        "status": {"phase": phase} if phase else {},
    }


@pytest.mark.parametrize(
    ("old", "new", "machine"),
    [
        (host(), host("one"), ONE),
        (host("two"), host("one"), ONE),
        (host("one"), host("one"), None),
        (host("one"), host(), None),
        (None, host("one"), None),
        (host("one"), None, None),
        (None, claim(), ONE),
        (claim(), claim(ClaimPhase.ASSIGNED), ONE),
        (claim(ClaimPhase.ASSIGNED), claim(ClaimPhase.PENDING), None),
        (claim(), claim(ClaimPhase.UNFULFILLABLE), None),
        (claim(), claim(ClaimPhase.CANCELLED), None),
        (claim(), None, None),
    ],
)
def test_only_the_news_of_a_claim_that_goes_well_can_wait(old, new, machine) -> None:
    assert claimant(old, new) == machine


@pytest.fixture
def runtime() -> VirtualRuntime:
    return VirtualRuntime(1)


def test_one_that_is_alone_is_not_put_off(runtime: VirtualRuntime) -> None:
    under_way, woken = ClaimsUnderWay(runtime), Woken()
    delay = under_way.delays(woken)  # type: ignore[arg-type] # of a controller, its queue
    assert delay(host(), host("one"), "h") == 0.0
    under_way.begin(ONE, "uid")
    assert delay(host(), host("one"), "h") == 0.0


@pytest.mark.parametrize("over", ["end", "waits"])
def test_what_was_put_off_is_resumed_when_the_last_claim_is_over(
    runtime: VirtualRuntime, over: str
) -> None:
    under_way, woken = ClaimsUnderWay(runtime), Woken()
    delay = under_way.delays(woken)  # type: ignore[arg-type] # as above
    under_way.begin(ONE, "uid")
    under_way.begin(TWO, "uid")
    assert delay(host(), host("one"), "h") == LONGEST
    assert delay(host("one"), host("one"), "h") == 0.0, "not the news of a claim"
    under_way.end(ONE)
    assert woken.requests == []
    getattr(under_way, over)(TWO)
    assert woken.requests == [("h", FOLLOW_UP_PRIORITY)]
    assert delay(host(), host("one"), "h") == 0.0


def test_a_claim_without_an_end_leaves_nothing_behind(runtime: VirtualRuntime) -> None:
    def body() -> None:
        under_way, woken = ClaimsUnderWay(runtime), Woken()
        delay = under_way.delays(woken)  # type: ignore[arg-type] # as above
        under_way.begin(TWO, "uid")
        for _ in range(100):
            assert delay(host(), host("one"), "h") == LONGEST
            runtime.sleep(LONGEST / 4)
        assert len(under_way._put_off) <= 5

    runtime.run(body)


def test_a_claim_takes_the_time_since_it_began_for_the_same_machine(
    runtime: VirtualRuntime,
) -> None:
    def body() -> None:
        under_way = ClaimsUnderWay(runtime)
        under_way.begin(ONE, "first")
        runtime.sleep(1.0)
        under_way.waits(ONE)
        under_way.begin(ONE, "first")
        assert under_way.seconds(ONE) == 1.0
        assert under_way.end(ONE, "first") == 1.0
        assert under_way.end(ONE, "first") is None
        under_way.begin(ONE, "first")
        under_way.begin(ONE, "second")
        assert under_way.end(ONE, "first") is None, "another machine of that name"

    runtime.run(body)
