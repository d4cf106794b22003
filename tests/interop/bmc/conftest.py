"""A fleet behind TLS, and the Redfish clients of others that talk to it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests

REPOSITORY = Path(__file__).parents[3]
PASSWORD = "Correct-horse1"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "redfish_suites", REPOSITORY / "ci" / "redfish_suites.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["redfish_suites"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def suites() -> ModuleType:
    """The clients; without them tests are skipped, or fail where CI must have them."""
    module = _load()
    absent = module.missing()
    if absent:
        reason = f"not installed (pip install '.[interop]'): {', '.join(absent)}"
        if os.environ.get("CI") == "true" and os.environ.get("BESKAR7_INTEROP") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return module


@pytest.fixture(scope="module")
def service(suites: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One BMC, whose boots and reboots are a hundred times as fast as real ones."""
    directory = tmp_path_factory.mktemp("fleet")
    hosts = [{"name": "host-001", "address": "127.32.0.1", "vendor": "generic"}]
    spec = {"seed": 7, "tls": True, "hosts": hosts, "scale": {"boot": 0.01, "latency": 0}}
    (directory / "fleet.json").write_text(json.dumps(spec))
    secrets = {
        "credentials": json.dumps({"username": "admin", "password": PASSWORD}),
        "token": "token-of-the-control-endpoint",
    }
    for name, secret in secrets.items():
        (directory / name).touch(0o600)
        (directory / name).write_text(secret)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "emulator.bmc", "--exit-with-stdin"),
            *("--spec", str(directory / "fleet.json")),
            *("--credentials", str(directory / "credentials")),
            *("--token-file", str(directory / "token"), "--tls-dir", str(directory)),
        ],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the fleet did not start"
    ready = json.loads(line)
    url = ready["addresses"]["host-001"]
    # Not as REQUESTS_CA_BUNDLE: the clients under test have options of their own.
    session = requests.Session()
    session.trust_env = False
    systems = session.get(
        f"{url}/redfish/v1/Systems", auth=("admin", PASSWORD), verify=ready["ca"], timeout=5
    )
    found = suites.Service(url, "admin", PASSWORD, systems.json()["Members"][0]["@odata.id"])
    yield found, ready["ca"]
    process.stdin.close()
    assert process.wait(10.0) == 0
    process.stdout.close()
