"""An operator as its author would write it, for ``kopf run``: it looks after Racks.

Not a test: tests/interop/kube_api/test_kopf_operator.py runs it in a process of its own.
"""

from typing import Any

import kopf

RACKS = ("example.com", "v1", "racks")


@kopf.on.startup()
def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
    settings.persistence.finalizer = "example.com/operated"
    # The API is away for a moment in the test: seconds, by default up to minutes.
    settings.networking.error_backoffs = [0.1, 0.2, 0.5, *[1.0] * 30]
    settings.watching.reconnect_backoff = 0.2


@kopf.on.create(*RACKS)
def created(spec: kopf.Spec, patch: kopf.Patch, **_: Any) -> None:
    patch.status["units"] = spec["units"]
    patch.status["changes"] = 0


@kopf.on.update(*RACKS, field="spec.units")
def resized(old: Any, new: Any, status: kopf.Status, patch: kopf.Patch, **_: Any) -> None:
    patch.status["units"] = new
    patch.status["grew"] = new - old
    patch.status["changes"] = status.get("changes", 0) + 1


@kopf.timer(*RACKS, interval=0.3)
def beat(status: kopf.Status, patch: kopf.Patch, **_: Any) -> None:
    patch.status["beats"] = status.get("beats", 0) + 1


@kopf.on.delete(*RACKS)
def deleted(name: str | None, logger: kopf.Logger, **_: Any) -> None:
    logger.info(f"the rack {name} was taken down")
