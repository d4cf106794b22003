"""Rare and harmful: what hardly ever happens by chance alone, each with a chance of its own.

After FoundationDB's BUGGIFY: where something is legal but unlikely, and code is seldom ready for
it, the simulator makes it likely.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from scenarios.swarm.acts import Timed
from scenarios.swarm.apimishaps import WRITES
from scenarios.swarm.dice import Dice, Draws, span
from scenarios.swarm.scene import Scene
from scenarios.swarm.worlds import CROWD

CHANCE = 0.06
OFTEN = 0.12
"""Of those that have to meet with something else to matter."""
CROWDED = 0.7
"""Of a tiny queue in one of the few worlds that can fill it."""


@dataclass(slots=True)
class Rarities:
    """What is added to a document."""

    config: dict[str, str] = field(default_factory=dict)
    faults: list[dict[str, Any]] = field(default_factory=list)
    acts: list[Timed] = field(default_factory=list)


def draw_rarities(draws: Draws, scene: Scene) -> Rarities:
    found = Rarities()
    for event in EVENTS:
        name = event.__name__.strip("_").replace("_", "-")
        dice = draws.of(f"rare/{name}")
        crowded = event is _the_queue_is_tiny and scene.hosts >= CROWD
        chance = CROWDED if crowded else OFTEN if event in SELDOM_MET else CHANCE
        if dice.chance(chance):
            before = len(found.faults)
            event(dice, scene, found)
            for number, fault in enumerate(found.faults[before:], start=1):
                fault["id"] = f"rare-{name}-{number}"
    return found


def _moment(dice: Dice, scene: Scene, longest: float = 10.0) -> dict[str, Any]:
    """Sometime early, when most is under way, and for a short while."""
    start = dice.log(0.05, scene.window / 2)
    return {"start": span(start), "duration": span(dice.log(0.1, min(longest, scene.window / 2)))}


def _every_bmc_is_away(dice: Dice, scene: Scene, found: Rarities) -> None:
    found.faults.append({"kind": "unreachable", **_moment(dice, scene, 30.0)})


def _a_write_succeeds_unseen(dice: Dice, scene: Scene, found: Rarities) -> None:
    """Each of the next few writes to BMCs takes effect, and none is acknowledged."""
    fault = {"kind": "reset", "perform": True, "count": dice.whole(1, 4)}
    # As often as not the one whose repetition would be seen by the machine's owner.
    resets = {"methods": ["POST"], "path": "*Reset"}
    match = dice.pick(({"methods": ["POST", "PATCH"]}, resets, resets))
    found.faults.append(fault | {"match": match, "duration": span(dice.log(1.0, scene.window))})


def _a_claim_succeeds_unseen(dice: Dice, scene: Scene, found: Rarities) -> None:
    select = {"kinds": ["PhysicalHost"], "verbs": ["update", "patch"]}
    fault = {"target": "api", "kind": "error", "status": 504, "perform": True, "select": select}
    moment = _moment(dice, scene, 30.0)
    if dice.chance(0.6):  # when machines come at once, so do their claims
        moment["start"] = "0s"
    found.faults.append(fault | {"count": dice.whole(1, 3), **moment})
    if dice.chance(0.7):  # and no watch tells of it either
        kind = dice.pick(("drop-watch", "lose-event"))
        found.faults.append(
            {"target": "api", "kind": kind, "select": {"kinds": ["PhysicalHost"]}, **moment}
        )
    if dice.chance(0.7):  # and who tries again does not come to the same host
        found.config["hostSelection.algorithm"] = "round-robin"


def _claims_are_slow(dice: Dice, scene: Scene, found: Rarities) -> None:
    """From the reading of a host to the writing of its owner others have time to do the same."""
    fault = {
        "target": "api",
        "kind": "delay",
        "direction": dice.pick(("calls", "both")),
        "latency": {"distribution": "lognormal", "mean": span(dice.log(0.05, 3.0)), "sigma": 1.0},
        "select": {"kinds": ["PhysicalHost"], "verbs": ["get", "update"]},
    }
    found.faults.append(fault | {"duration": span(dice.log(1.0, scene.window))})


def _nobody_hears_of_machines(dice: Dice, scene: Scene, found: Rarities) -> None:
    """That they were created, or are to go, is only found by the next list, minutes later."""
    select = {"kinds": dice.pick((["Beskar7Machine"], ["Beskar7Machine", "PhysicalHost"]))}
    fault = {"target": "api", "kind": "lose-event", "select": select}
    found.faults.append(fault | {"duration": span(dice.log(0.5, scene.window / 2))})


def _no_lease_is_renewed(dice: Dice, scene: Scene, found: Rarities) -> None:
    """Leaders lose what they hold, while everything else goes on."""
    select = {"kinds": ["Lease"], "verbs": list(WRITES)}
    fault = {"target": "api", "kind": "hang", "select": select, "perform": dice.chance(0.5)}
    # For as long as it takes to lose one that is renewed within 10 s or within 2.
    moment = _moment(dice, scene) | {"duration": span(dice.log(2.0, 20.0))}
    if dice.chance(0.5):
        moment["start"] = "0s"
    found.faults.append(fault | moment)
    if dice.chance(0.6):  # and with much under way, as all else is slow
        slow = {
            "target": "api",
            "kind": "delay",
            "latency": {"distribution": "constant", "mean": span(dice.log(0.3, 3.0))},
            "select": {"kinds": ["PhysicalHost", "Beskar7Machine"]},
        }
        found.faults.append(slow | moment)


def _succession(comes: float, death: float) -> list[Timed]:
    """A manager comes, and then the leader dies: so there are as many as before, and at no moment
    fewer than the other acts count on."""
    return [
        (comes, {"start_manager": {}}),
        (death, {"kill_manager": {"target": "leader-first"}}),
    ]


def _claims_outlive_their_manager(dice: Dice, scene: Scene, found: Rarities) -> None:
    """They are on their way for longer than anybody waits, and meet those of the next leader."""
    if not scene.elects:
        return
    death = dice.log(0.05, 2.0)
    found.acts += _succession(0.01, death)
    mean = scene.lease * dice.log(0.3, 3.0)
    fault = {
        "target": "api",
        "kind": "delay",
        "direction": "calls",
        "latency": {"distribution": "lognormal", "mean": span(mean), "sigma": 1.0},
        "select": {"kinds": ["PhysicalHost"], "verbs": ["get", "update"]},
        "start": "0s",
    }
    found.faults.append(fault | {"duration": span(2 * scene.lease + dice.log(1.0, 20.0))})
    if dice.chance(0.8):  # and who claims anew does not come to the same hosts
        found.config["hostSelection.algorithm"] = dice.pick(("first-available", "round-robin"))


def _the_next_leader_sees_old_hosts(dice: Dice, scene: Scene, found: Rarities) -> None:
    """It lists them as they were before the last claims, no watch tells of these, and then more
    machines come."""
    if not scene.elects:
        return
    claims = 2 * scene.retry + dice.log(0.5, 5.0)
    death = claims + dice.log(0.1, 1.0)
    # A lease is renewed, and found to be free, within one retry period.
    age = scene.lease + scene.retry + death - claims
    found.faults += _old_hosts(dice, scene, death, age)
    machines = {"create_machines": {"count": dice.whole(1, scene.hosts)}}
    given_back = {"count": dice.whole(1, scene.hosts), "which": "provisioned-first"}
    found.acts += [
        *_succession(claims - 0.1, death),
        (max(0.1, claims - dice.log(0.2, 5.0)), {"delete_machines": given_back}),
        (claims, machines),
        (death + scene.lease + dice.log(1.0, 30.0), machines),
    ]


def _the_next_leader_sees_hosts_being_cleaned(dice: Dice, scene: Scene, found: Rarities) -> None:
    """It lists them as they were then; but machines waited for them, and have them by now."""
    if not scene.elects:
        return
    deleted = 2 * scene.retry + dice.log(4.0, 15.0)
    # Of a clean-up under way, for BMCs are slow until then. When the next leader lists hosts is not
    # known to within two retry periods.
    seen = deleted + scene.retry + dice.log(0.2, 2.0)
    death = seen + dice.log(5.0, 30.0)
    slow = {"distribution": "constant", "mean": span(dice.log(0.2, 1.0))}
    times = {"start": span(deleted), "duration": span(seen - deleted)}
    found.faults.append({"kind": "latency", "latency": slow, **times})
    found.faults += _old_hosts(dice, scene, death, scene.lease + scene.retry + death - seen)
    machines = {"create_machines": {"count": dice.whole(scene.hosts, 2 * scene.hosts)}}
    given_back = {"count": dice.whole(1, scene.hosts), "which": "provisioned-first"}
    found.acts += [
        *_succession(deleted - 0.1, death),
        (deleted, {"delete_machines": given_back}),
        (deleted, machines),
    ]


def _old_hosts(dice: Dice, scene: Scene, death: float, age: float) -> list[dict[str, Any]]:
    """Who leads after that death lists hosts of so many seconds ago, and no watch tells more."""
    hosts = {"target": "api", "select": {"kinds": ["PhysicalHost"]}, "start": span(death)}
    hosts["duration"] = span(scene.lease + 2 * scene.retry + dice.log(0.5, 10.0))
    return [{**hosts, "kind": "stale-list", "age": span(age)}, {**hosts, "kind": "lose-event"}]


def _the_api_restarts_again_and_again(dice: Dice, scene: Scene, found: Rarities) -> None:
    at = 0.0
    for _ in range(dice.whole(2, 4)):
        at += dice.log(0.3, scene.window / 5)
        times = {"start": span(at), "duration": span(dice.log(0.05, 2.0))}
        found.faults.append({"target": "api", "kind": "restart", **times})


def _a_clock_is_years_off(dice: Dice, scene: Scene, found: Rarities) -> None:
    select = {"clients": [scene.client(dice.whole(1, scene.managers))]} if scene.managers else {}
    offset = dice.pick(("-", "")) + f"{dice.whole(1, 9) * 8760}h"
    fault = {"target": "api", "kind": "clock-skew", "offset": offset, "select": select}
    found.faults.append(fault | _moment(dice, scene, 60.0))


def _the_queue_is_tiny(dice: Dice, scene: Scene, found: Rarities) -> None:
    found.config |= {
        "provisioning.maxQueueSize": "10",
        "provisioning.maxConcurrentOps": "1",
        "provisioning.workerCount": "1",
        "provisioning.suspectWorkerCount": "0",
    }


def _one_bmc_drips_for_ever(dice: Dice, scene: Scene, found: Rarities) -> None:
    select = {"hosts": [dice.pick(scene.names)]}
    found.faults.append(
        {"kind": "drip", "rate": 1.0, "select": select, "duration": span(scene.window)}
    )


def _the_power_fails_in_mid_boot(dice: Dice, scene: Scene, found: Rarities) -> None:
    fault = {"kind": "power-loss", "restore": dice.pick(("LastState", "AlwaysOn", "AlwaysOff"))}
    found.faults.append(fault | _moment(dice, scene))


EVENTS: tuple[Callable[[Dice, Scene, Rarities], None], ...] = (
    _every_bmc_is_away,
    _a_write_succeeds_unseen,
    _a_claim_succeeds_unseen,
    _claims_are_slow,
    _nobody_hears_of_machines,
    _no_lease_is_renewed,
    _claims_outlive_their_manager,
    _the_next_leader_sees_old_hosts,
    _the_next_leader_sees_hosts_being_cleaned,
    _the_api_restarts_again_and_again,
    _a_clock_is_years_off,
    _the_queue_is_tiny,
    _one_bmc_drips_for_ever,
    _the_power_fails_in_mid_boot,
)
SELDOM_MET = (
    _a_write_succeeds_unseen,
    _a_claim_succeeds_unseen,
    _claims_are_slow,
    _no_lease_is_renewed,
    _claims_outlive_their_manager,
    _the_next_leader_sees_old_hosts,
    _the_next_leader_sees_hosts_being_cleaned,
)
