"""What the Deployment and the ConfigMap make of a manager: its flags, read as it reads them."""

from __future__ import annotations

from dataclasses import dataclass, field

from beskar7.api.objects import Object
from beskar7.config import ConfigError, Tuning
from beskar7.flags import parsed_settings
from beskar7.operations.podstatus import container
from beskar7.settings import ManagerSettings


@dataclass(frozen=True, slots=True)
class Installed:
    """``flags_problem`` and ``config_problems`` say why something is refused; the rest holds."""

    settings: ManagerSettings
    tuning: Tuning
    flags_problem: str = ""
    config_problems: tuple[str, ...] = field(default_factory=tuple)

    @classmethod
    def of(cls, deployment: Object | None, config_map: Object | None) -> Installed:
        """Where one is missing, or refused, the defaults hold."""
        settings = ManagerSettings(identity="doctor")
        flags_problem = ""
        manager = container(((deployment or {}).get("spec") or {}).get("template") or {})
        environment = {
            each["name"]: str(each["value"]) for each in manager.get("env") or () if "value" in each
        }
        given = [*(manager.get("command") or ())[1:], *(manager.get("args") or ())]
        words = [str(each) for each in given]
        if words[:1] == ["manager"]:
            words = words[1:]
        try:
            settings = parsed_settings([*words, "--identity=doctor"], environment)
        except ValueError as error:
            flags_problem = str(error)
        data = {str(key): str(value) for key, value in _data(config_map).items()}
        try:
            return cls(settings, settings.tuned(data), flags_problem)
        except ConfigError as error:
            return cls(settings, settings.tuned({}), flags_problem, tuple(error.problems))


def _data(config_map: Object | None) -> Object:
    found: Object = (config_map or {}).get("data") or {}
    return found
