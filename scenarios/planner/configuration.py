"""What of a plan is to be applied: the ConfigMap, the managers' flags, their number."""

from __future__ import annotations

from dataclasses import dataclass

import yaml

from beskar7.config import doubts
from scenarios.engine.expand import SYSTEM_NAMESPACE, config_map, tuning_of
from scenarios.engine.schema import Scenario


@dataclass(frozen=True, slots=True)
class Applied:
    """``config_map`` as YAML. ``flags`` of ``beskar7 manager``. ``advice``: what the documented
    rules say against it, though it was found to serve."""

    config_map: str
    flags: tuple[str, ...]
    replicas: int
    advice: tuple[str, ...]

    @property
    def scale(self) -> str:
        """The command that sets the number of managers."""
        deployment = "deployment/beskar7-controller-manager"
        return f"kubectl -n {SYSTEM_NAMESPACE} scale {deployment} --replicas={self.replicas}"


def applied(scenario: Scenario) -> Applied:
    """Of a scenario that is the plan."""
    tuning = tuning_of(scenario)
    managers = scenario.world.managers
    return Applied(
        yaml.safe_dump(config_map(scenario), sort_keys=False),
        tuple(f"--{name}={value}" for name, value in sorted(managers.args.items())),
        managers.replicas,
        tuple(f"{key}: {text}" for key, text in doubts(tuning)),
    )
