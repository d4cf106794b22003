"""The hourly look at security speaks of the way to the BMC, and not of who owns the host."""

from __future__ import annotations

import logging

import pytest

from beskar7.controllers.security import PERIOD

pytestmark = pytest.mark.sim


def test_a_host_that_was_claimed_is_no_finding(in_world, caplog) -> None:
    def body(driver) -> list[str]:
        def found() -> list[str]:
            said = [record.getMessage() for record in caplog.records]
            return [line for line in said if line.startswith("security: host")]

        driver.runtime.sleep(PERIOD)
        before = found()
        assert before, "the lab's BMCs are reached by plain HTTP, which is worth a word"
        caplog.clear()
        driver.create_machines(1)
        driver.until(lambda: len(driver.owners()) == 1, "claimed")
        driver.runtime.sleep(PERIOD)
        assert found() == before
        return before

    with caplog.at_level(logging.WARNING, "beskar7.controllers.security"):
        in_world(body, hosts=1)
