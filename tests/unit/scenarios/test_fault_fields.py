"""Faults of BMCs in a scenario file: every kind is read, and mistakes are told with their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from beskar7.api.problems import DocumentError
from emulator.faultkinds import KINDS
from emulator.faultspec import Fault
from scenarios.engine.loader import loads

pytestmark = pytest.mark.unit
TEXT = """\
name: faulty
world:
  hosts: {count: 2}
load: {machines: 1}
faults:
  - {id: a, FAULT}
"""
NEEDED = {
    "latency": ", latency: {distribution: empirical, quantiles: [10ms, 1s, 1m]}",
    "firmware-bug": ", symptoms: [{kind: drip, rate: 3}, {kind: stale-power, lag: 2m}]",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read(kind: str) -> None:
    text = f"kind: {kind}{NEEDED.get(kind, '')}, duration: 1s, every: 1m, times: 2"
    [fault] = loads(TEXT.replace("FAULT", text)).faults
    assert (fault["kind"], fault["every"], fault["times"]) == (kind, 60.0, 2)
    assert Fault.from_dict(fault).kind == kind


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("kind: wrong-clock, ahead: -36h", {"ahead": -129_600.0}),
        (
            "kind: power-loss, restore: AlwaysOff, bmc: false",
            {"restore": "AlwaysOff", "bmc": False},
        ),
        ("kind: missing-fields, properties: [Boot/A, B]", {"properties": ("Boot/A", "B")}),
        ("kind: error, status: 429, retry_after: 3", {"status": 429, "retry_after": 3}),
    ],
)
def test_fields_of_the_kind(text: str, params: dict[str, object]) -> None:
    [fault] = loads(TEXT.replace("FAULT", text)).faults
    read = Fault.from_dict(fault).params
    assert {name: read[name] for name in params} == params


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: dripp", 'faults[0].kind: "dripp" is unknown; did you mean "drip"?'),
        ("kind: drip, lag: 5s", "faults[0].lag: belongs to faults of kind stale-power; this one"),
        ("kind: stale-power, lag: 5", "faults[0].lag: 5 has no unit"),
        ("kind: stale-power, lag: -5s", "is not a duration"),
        ("kind: wrong-clock, ahead: -100000h", "it has to be from -8888h53m20s to"),
        ("kind: boot-loop, match: {path: x}", "faults[0].match: kind boot-loop is not about"),
        ("kind: html, every: 5s", "every: needs a duration"),
        ("kind: latency, latency: {distribution: empirical, quantiles: [1s]}", "list of 2 to"),
        ("kind: latency, latency: {distribution: empirical, quantiles: [1s, 2]}", "2 has no unit"),
        ("kind: firmware-bug", "faults[0].symptoms: needs 1 to 10 faults"),
        ("kind: firmware-bug, symptoms: [{kind: drop}]", 'symptoms[0].kind: "drop" is unknown'),
        ("kind: firmware-bug, symptoms: [{kind: html, lag: 1s}]", "symptoms[0].lag: belongs to"),
        ("kind: html, select: {firmwares: [a]}", 'did you mean "firmware"?'),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, said: str) -> None:
    with pytest.raises(DocumentError, match=r"s\.yaml:6") as caught:
        loads(TEXT.replace("FAULT", text), "s.yaml")
    assert said in str(caught.value)


def test_vendors_are_those_of_the_scenarios_own_personalities_too(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text("extends: generic\n")
    own = f"hosts: {{count: 2, vendors: {{acme: 1}}, personalities: [{tmp_path / 'acme.yaml'}]}}"
    text = TEXT.replace("hosts: {count: 2}", own) + "acts: [{at: 1s, add_fault: {id: b, FAULT}}]\n"
    scenario = loads(text.replace("FAULT", "kind: html, select: {vendors: [acme, dell]}"))
    assert scenario.faults[0]["select"] == {"vendors": ["acme", "dell"]}
    for unknown in (text, TEXT):
        with pytest.raises(
            DocumentError, match=r'"acne" is unknown; (did you mean "acme"|known: dell)'
        ):
            loads(unknown.replace("FAULT", "kind: html, select: {vendors: [acne]}"))
    with pytest.raises(DocumentError, match='"acme" is unknown'):
        loads(TEXT.replace("FAULT", "kind: html, select: {vendors: [acme]}"))
