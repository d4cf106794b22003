"""The fleet's file: defaults, bounds, and what is said about mistakes; secrets' files; vendors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from emulator.bmc.spec import Credentials, FleetSpec, load_token
from emulator.fields import FieldError

pytestmark = pytest.mark.unit


def host(**fields: Any) -> dict[str, Any]:
    return {"name": "host-001", "address": "127.10.0.1", **fields}


def test_defaults_come_from_the_vendor() -> None:
    spec = FleetSpec.from_dict({"hosts": [host(vendor="hpe")]})
    assert (spec.hosts[0].cores, spec.hosts[0].memory_gib, spec.hosts[0].power) == (32, 192, "Off")
    assert (spec.port, spec.tls, spec.faults) == (0, False, ())


def test_what_is_given_is_taken() -> None:
    fault = {"kind": "hang", "duration": None}
    spec = FleetSpec.from_dict(
        {
            "seed": 3,
            "tls": True,
            "scale": {"boot": 1, "latency": 0.5},
            "hosts": [host(cores=8, memory_gib=16, power="On", labels={"a": "b"}, rack="r")],
            "faults": [fault, {**fault, "id": "x"}],
        }
    )
    assert [fault.id for fault in spec.faults] == ["spec-1", "x"]
    assert (spec.boot_scale, spec.latency_scale) == (1.0, 0.5)
    assert (spec.hosts[0].cores, spec.hosts[0].target("1.0").labels) == (8, {"a": "b"})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ([], "spec: must be a mapping, not list"),
        ({}, "spec.hosts: must be a list of 1 to"),
        ({"hosts": []}, "spec.hosts: must be a list of 1 to"),
        ({"hosts": [host()], "prot": 1}, "spec.prot: unknown field; allowed: seed, port"),
        ({"hosts": [host()], "port": 70000}, "spec.port: must be a whole number from 0 to 65535"),
        ({"hosts": [{"name": "a"}]}, "spec.hosts[0].address: missing"),
        ({"hosts": [host(name="Host_1")]}, "spec.hosts[0].name: must be lower-case"),
        ({"hosts": [host(address="10.0.0.1")]}, "spec.hosts[0].address: must be an IPv4 loopback"),
        ({"hosts": [host(address="127.1")]}, "spec.hosts[0].address: must be an IPv4 loopback"),
        ({"hosts": [host(vendor="sun")]}, "spec.hosts[0].vendor: must be one of dell, generic"),
        ({"hosts": [host(cores="8")]}, "spec.hosts[0].cores: must be a whole number"),
        ({"hosts": [host(power="on")]}, "spec.hosts[0].power: must be one of On, Off"),
        ({"hosts": [host(), host()]}, "spec.hosts[1].name: 'host-001' is that of spec.hosts[0]"),
        (
            {"hosts": [host(), host(name="b")]},
            "spec.hosts[1].address: '127.10.0.1' is that of spec.hosts[0]",
        ),
        ({"hosts": [host()], "faults": [{"kind": "x"}]}, "spec.faults[0].kind: must be one of"),
        ({"hosts": [host()], "scale": {"boot": -1}}, "spec.scale.boot: must be a number"),
    ],
)
def test_mistakes_are_named(spec: Any, message: str) -> None:
    with pytest.raises(FieldError) as caught:
        FleetSpec.from_dict(spec)
    assert message in str(caught.value)


def test_a_file_is_named_in_its_errors(tmp_path: Path) -> None:
    file = tmp_path / "fleet.json"
    with pytest.raises(FieldError, match=r"fleet\.json: cannot be read: No such file"):
        FleetSpec.load(file)
    file.write_text("{")
    with pytest.raises(FieldError, match=r"fleet\.json: .*line 1"):
        FleetSpec.load(file)


def secret(path: Path, text: str, mode: int = 0o600) -> Path:
    path.touch(mode)
    path.chmod(mode)
    path.write_text(text)
    return path


def test_secrets_that_others_may_read_are_refused(tmp_path: Path) -> None:
    login = json.dumps({"username": "admin", "password": "hush"})
    with pytest.raises(FieldError, match="others may read it"):
        Credentials.load(secret(tmp_path / "open", login, 0o644))
    loaded = Credentials.load(secret(tmp_path / "closed", login))
    assert (loaded.username, loaded.password) == ("admin", "hush")
    assert "hush" not in repr(loaded)


@pytest.mark.parametrize(
    "data",
    [
        {"username": "admin"},
        {"username": "a:b", "password": "hush"},
        {"username": "admin", "password": "hush", "hosts": {"h": {"password": "hush"}}},
        {"username": "admin", "password": "hush", "extra": 1},
    ],
)
def test_bad_credentials_are_named_and_never_shown(data: Any, tmp_path: Path) -> None:
    with pytest.raises(FieldError, match="credentials") as caught:
        Credentials.load(secret(tmp_path / "c", json.dumps(data)))
    assert "hush" not in str(caught.value)


def test_a_host_may_have_its_own_credentials() -> None:
    credentials = Credentials("a", "b", {"host-002": ("c", "d")})
    assert credentials.token("host-001") != credentials.token("host-002")


def test_short_tokens_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match="16 to 4096"):
        load_token(secret(tmp_path / "token", "short"))
