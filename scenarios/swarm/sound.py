"""Whether a document asks only for what the controller promises: else its failure says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from beskar7.api.problems import DocumentError
from beskar7.config import ConfigError, parse_tuning
from scenarios.engine.evidence import ends
from scenarios.engine.expand import elects_leader
from scenarios.engine.loader import loads
from scenarios.engine.schema import AddFault, Configure, KillManager, Scenario, StartManager
from scenarios.swarm.seedtrial import written


def unsound(document: Mapping[str, Any]) -> str:
    """What is wrong with it, the first thing; empty where nothing is.

    What makes a world come to no rest by its own: faults without an end, no manager, no room for
    an operation in the end, a boot that a vendor does not have. And two managers that do not elect
    a leader, which is against the rules.
    """
    try:
        scenario = loads(written(document))
        config = dict(scenario.world.config)
        for act in scenario.acts:
            if isinstance(act.action, Configure):
                config |= act.action.settings
        tuning = parse_tuning(config)
    except (DocumentError, ConfigError) as error:
        return str(error)
    if tuning.max_concurrent_ops == 0 or 0 in tuning.concurrent_ops_by_vendor().values():
        return "the queue is drained for ever"
    if any(variant.config_url and variant.boot_mode == "Legacy" for variant in scenario.load.mix):
        return "not every vendor has kernel parameters for bootMode Legacy"
    faults = [*scenario.faults]
    faults += [act.action.fault for act in scenario.acts if isinstance(act.action, AddFault)]
    for fault in faults:
        if ends(fault, fault["start"]) is None:
            return f"the fault {fault['id']} never ends"
    return _managers(scenario)


def _managers(scenario: Scenario) -> str:
    living = most = scenario.world.managers.replicas
    for act in scenario.acts:
        living += isinstance(act.action, StartManager) - isinstance(act.action, KillManager)
        most = max(most, living)
    if living < 1:
        return "no manager lives in the end"
    if most > 1 and not elects_leader(scenario):
        return "several managers and no leader election"
    return ""
