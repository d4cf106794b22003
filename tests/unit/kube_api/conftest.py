"""A store in virtual time, furnished with the controller's own kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from beskar7.api.kinds import PHYSICAL_HOST
from beskar7.runtime import VirtualRuntime
from emulator.kube.store.store import Store
from emulator.kube.world import new_store


@pytest.fixture
def runtime() -> VirtualRuntime:
    return VirtualRuntime(seed=7)


@pytest.fixture
def store(runtime: VirtualRuntime) -> Store:
    return new_store(runtime)


@pytest.fixture
def host() -> Callable[..., dict[str, Any]]:
    """Builds a PhysicalHost that the schema takes; keywords go into its metadata."""

    def build(name: str = "h1", **meta: Any) -> dict[str, Any]:
        return {
            "apiVersion": PHYSICAL_HOST.api_version,
            "kind": "PhysicalHost",
            "metadata": {"name": name, "namespace": "default", **meta},
            "spec": {
                "redfishConnection": {
                    "address": "https://127.10.0.1:8000",
                    "credentialsSecretRef": "bmc",
                }
            },
        }

    return build
