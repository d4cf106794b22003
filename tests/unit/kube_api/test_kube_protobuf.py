"""Protobuf bodies: known messages to JSON, anything else refused, never a crash."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beskar7.api.errors import BadRequest, UnsupportedMediaType
from emulator.kube.api.protobuf import MAGIC, decode

pytestmark = pytest.mark.unit


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    type_meta = field(1, api_version) + field(2, kind)
    return MAGIC + field(1, type_meta) + field(2, raw) + field(3, "") + field(4, "")


def test_a_secret_is_decoded() -> None:
    meta = field(1, "bmc") + field(3, "default") + field(11, field(1, "a") + field(2, "b"))
    meta += field(8, b"")  # Go's empty creationTimestamp
    pairs = field(2, field(1, "user") + field(2, b"me")) + field(
        2, field(1, "pass") + field(2, b"\xff")
    )
    assert decode(envelope("v1", "Secret", field(1, meta) + pairs + field(3, "Opaque"))) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "bmc", "namespace": "default", "labels": {"a": "b"}},
        "data": {"user": "bWU=", "pass": "/w=="},
        "type": "Opaque",
    }


def test_a_lease_is_decoded() -> None:
    moment = field(1, 1_767_225_600) + field(2, 123_456_000)
    spec = field(1, "mgr-1") + field(2, 15) + field(4, moment) + field(99, "unknown")
    body = envelope("coordination.k8s.io/v1", "Lease", field(2, spec))
    assert decode(body)["spec"] == {
        "holderIdentity": "mgr-1",
        "leaseDurationSeconds": 15,
        "renewTime": "2026-01-01T00:00:00.123456Z",
    }


def test_delete_options_are_decoded() -> None:
    raw = field(2, field(1, "some-uid")) + field(4, "Background") + field(5, "All")
    decoded = decode(envelope("v1", "DeleteOptions", raw))
    assert decoded["preconditions"] == {"uid": "some-uid"}
    assert decoded["dryRun"] == ["All"]


def test_a_deployment_is_decoded() -> None:
    """Ports and probes hold the odd types: numbers or text, quantities, inlined parts."""
    action = field(1, "/readyz") + field(2, field(1, 1) + field(2, 0) + field(3, "probes"))
    probe = field(1, field(2, action)) + field(2, 0) + field(3, 0)
    limits = field(1, field(1, "cpu") + field(2, field(1, "500m")))
    container = (
        field(1, "manager")
        + field(2, "beskar7/manager:1")
        + field(6, field(1, "metrics") + field(2, 0) + field(3, 8080))
        + field(8, limits)
        + field(11, probe)
    )
    secret = field(6, field(1, "bmc"))  # VolumeSource, whose fields JSON has beside the name
    pod = field(1, field(1, "credentials") + field(2, secret)) + field(2, container)
    selector = field(1, field(1, "app") + field(2, "beskar7"))
    spec = field(1, 0) + field(2, selector) + field(3, field(2, pod)) + field(5, 0) + field(7, 0)
    decoded = decode(envelope("apps/v1", "Deployment", field(1, field(1, "d")) + field(2, spec)))
    assert decoded["spec"] == {
        "replicas": 0,  # a pointer in Go: it was really set
        "selector": {"matchLabels": {"app": "beskar7"}},
        "template": {
            "spec": {
                "volumes": [{"name": "credentials", "secret": {"secretName": "bmc"}}],
                "containers": [
                    {
                        "name": "manager",
                        "image": "beskar7/manager:1",
                        "ports": [{"name": "metrics", "containerPort": 8080}],
                        "resources": {"limits": {"cpu": "500m"}},
                        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "probes"}},
                    }
                ],
            }
        },
    }


def test_other_kinds_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedMediaType, match=r"Job \(batch/v1\).*application/json"):
        decode(envelope("batch/v1", "Job", b""))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        MAGIC + b"\xff" * 20,
        MAGIC + field(1, b"\x0a\x7f"),
        envelope("v1", "Secret", b"\x0b"),
        envelope("v1", "Secret", field(1, 5)),
        envelope("v1", "Secret", field(3, b"\xff")),
    ],
)
def test_malformed_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="protobuf"):
        decode(body)


@settings(max_examples=200)
@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_refused(raw: bytes) -> None:
    for body in (MAGIC + raw, envelope("v1", "Event", raw)):
        with suppress(BadRequest, UnsupportedMediaType):
            assert isinstance(decode(body), dict)
