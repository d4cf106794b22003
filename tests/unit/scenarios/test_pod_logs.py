"""Worlds that listen to the managers' logs leave the loggers as they found them."""

from __future__ import annotations

import logging

import pytest

from scenarios.engine.virtualpods.logs import PodLogs

pytestmark = pytest.mark.unit

OWN = logging.getLogger("beskar7")


def listener() -> PodLogs:
    return PodLogs(lambda: None)


@pytest.mark.parametrize("first_goes_first", [True, False])
def test_worlds_that_overlap_restore_the_logger(first_goes_first: bool) -> None:
    before = OWN.level, OWN.propagate, list(OWN.handlers)
    one, other = listener(), listener()
    one.attach()
    other.attach()
    for each in (one, other) if first_goes_first else (other, one):
        each.close()
    assert (OWN.level, OWN.propagate, list(OWN.handlers)) == before


def test_what_others_are_to_hear_they_hear_once(caplog: pytest.LogCaptureFixture) -> None:
    one, other = listener(), listener()
    one.attach()
    other.attach()
    try:
        logging.getLogger("beskar7.term").warning("said")
        logging.getLogger("beskar7.term").debug("for the pods alone")
    finally:
        one.close()
        logging.getLogger("beskar7.term").warning("still heard")
        other.close()
    assert [record.getMessage() for record in caplog.records] == ["said", "still heard"]
