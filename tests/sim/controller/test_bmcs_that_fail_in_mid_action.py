"""An action whose answer was lost is looked up before it is asked for again."""

from __future__ import annotations

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE

pytestmark = pytest.mark.sim

ACTIONS = {
    "power": ("*ComputerSystem.Reset", "reset:"),
    "insert": ("*InsertMedia", "insert-media"),
    "eject": ("*EjectMedia", "eject-media"),
}
# The next attempt comes as soon as it may: while the BMC is still at it.
CONFIG = {
    "bmc.requestTimeout": "10s",
    "bmc.connectionTimeout": "5s",
    "bmc.retryDelay": "1s",
    "provisioning.bmcCooldownPeriod": "1s",
}


def lose(driver, path: str, kind: str, perform: bool) -> None:
    driver.world.add_fault(
        {
            "id": "lost",
            "kind": kind,
            "perform": perform,
            "count": 1,
            "match": {"methods": ["POST"], "path": path},
        }
    )


def actions(driver, word: str, since: int) -> list[tuple[str, bool]]:
    records = driver.world.bmc_log(since, 0)[0]
    return [(r.action, r.performed) for r in records if r.action.startswith(word)]


@pytest.mark.parametrize("perform", [True, False], ids=["performed", "not-performed"])
@pytest.mark.parametrize("kind", ["reset", "hang"])
@pytest.mark.parametrize("what", ["power", "insert"])
def test_provisioning_acts_once_unless_it_truly_was_not_done(in_world, what, kind, perform):
    path, word = ACTIONS[what]

    def body(driver) -> None:
        since = driver.world.bmc_log(0, 0)[0][-1].seq
        lose(driver, path, kind, perform)
        driver.create_machines(1)
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
        seen = actions(driver, word, since)
        assert [done for _, done in seen] == ([True] if perform else [False, True]), seen
        boots = [e for e in driver.world.bmc_log(0, 0)[1] if e.type == "boot-started"]
        assert len(boots) == 1

    in_world(body, hosts=1, config=CONFIG, boot=0.5)


@pytest.mark.parametrize("perform", [True, False], ids=["performed", "not-performed"])
@pytest.mark.parametrize("kind", ["reset", "hang"])
@pytest.mark.parametrize("what", ["power", "eject"])
def test_cleaning_acts_once_unless_it_truly_was_not_done(in_world, what, kind, perform):
    path, word = ACTIONS[what]

    def body(driver) -> None:
        driver.create_machines(1)
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
        since = driver.world.bmc_log(0, 0)[0][-1].seq
        lose(driver, path, kind, perform)
        driver.kube.delete(BESKAR7_MACHINE, "default", "machine-001")
        driver.until(lambda: driver.states() == ["Available"], "clean")
        seen = actions(driver, word, since)
        assert [done for _, done in seen] == ([True] if perform else [False, True]), seen

    in_world(body, hosts=1, config=CONFIG, boot=0.5)
