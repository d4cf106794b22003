"""What the model knows of scenarios. The rest is refused by name, so that nobody takes its silence
for an answer."""

from __future__ import annotations

from scenarios.engine.expand import elects_leader
from scenarios.engine.schema import (
    Act,
    AddFault,
    ClearFault,
    Configure,
    CreateMachines,
    DeleteMachines,
    KillManager,
    Scenario,
    StartManager,
)
from scenarios.models import faults

FOLLOWED = ("provisioning.", "bmc.")
"""Beginnings of those keys of the ConfigMap whose changes the model follows."""


class NotModelled(Exception):
    """The scenario has something that the model does not know; ``args[0]`` names it."""


def check(scenario: Scenario) -> None:
    """Raises NotModelled unless the model can play the scenario."""
    unknown = faults.unknown(scenario)
    for number, act in enumerate(scenario.acts):
        if not _known(act):
            unknown.append(f"acts.{number} ({act.action})")
    killed = any(isinstance(act.action, KillManager) for act in scenario.acts)
    if killed and faults.named(scenario):
        unknown.append("kill_manager beside faults")
    if scenario.rehearsal is not None:
        unknown.append("rehearsal")
    managers = scenario.world.managers
    if not elects_leader(scenario) and managers.replicas > 1:
        unknown.append("world.managers.args.leader-elect (of several managers)")
    if managers.deployed:
        unknown.append("world.managers.deployed")
    if unknown:
        raise NotModelled(f"the model does not know {', '.join(unknown)}; use --fidelity code")


def _known(act: Act) -> bool:
    action = act.action
    if isinstance(action, Configure):
        return all(key.startswith(FOLLOWED) for key in action.settings)
    known = isinstance(
        action,
        CreateMachines | DeleteMachines | AddFault | ClearFault | KillManager | StartManager,
    )
    return known and act.trigger.door is None
