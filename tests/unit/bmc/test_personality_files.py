"""Personalities' files: what is read, what is said about mistakes, and the resources served."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beskar7.runtime import VirtualRuntime
from emulator.bmc.fleet import Fleet
from emulator.bmc.personality import OPERATIONS, Family
from emulator.bmc.personalityfile import SECTIONS, load, personalities, read
from emulator.bmc.spec import Credentials, FleetSpec
from emulator.fields import FieldError

if TYPE_CHECKING:
    from conftest import Client

pytestmark = pytest.mark.unit
GOLDEN = Path(__file__).with_name("golden")
VENDORS = ("dell", "generic", "hpe", "lenovo", "supermicro")
FOLDER = Path(__file__).parents[3] / "emulator" / "bmc" / "personalities"
VARIANTS = [(vendor, v) for vendor in VENDORS for v in personalities()[vendor].versions]


def write(tmp_path: Path, text: str, name: str = "mine.yaml") -> Path:
    file = tmp_path / name
    file.write_text(text)
    return file


@pytest.mark.parametrize("vendor", VENDORS)
def test_every_shipped_file_is_whole_and_says_where_its_figures_come_from(vendor: str) -> None:
    data = yaml.safe_load((FOLDER / f"{vendor}.yaml").read_text())
    for section in SECTIONS:
        if section == "quirks":
            assert all(entry["source"] for entry in data.get("quirks", {}).values())
        else:
            assert data[section]["source"], section
    for variant in personalities()[vendor].variants:
        shares = [share for share, _ in variant.phases]
        assert shares == sorted(shares)
        assert all(variant.latency_of(kind).mean > 0 for kind in OPERATIONS)
        assert variant.ways(1.0).optical, "a drive for a CD"
        serials = {variant.serial_of(f"host-{i}") for i in range(100)}
        assert len(serials) == 100
        assert all(len(serial) == len(variant.serial) for serial in serials)


def test_there_is_more_than_one_firmware_to_have_a_bug_in() -> None:
    for vendor in set(VENDORS) - {"generic"}:
        family = personalities()[vendor]
        assert len(family.versions) >= 2
        assert {family.of(f"host-{i}").bmc_firmware for i in range(50)} == set(family.versions)


def test_a_file_extends_a_shipped_one_and_its_firmware_extends_the_file(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """
vendor: my-dell
extends: dell
firmware:
  - version: "1"
  - version: "2"
    limits: {requests: 2}
    quirks:
      etag_required: {value: true, source: seen in our lab}
latency:
  get: {distribution: gamma, mean: 0.5, sigma: 0.1}
""",
    )
    family = read(file)
    one, two = family.variants
    dell = personalities()["dell"].variants[0]
    assert (family.vendor, family.versions) == ("my-dell", ("1", "2"))
    assert (one.manufacturer, one.media, one.latency["media"]) == (
        (dell.manufacturer, dell.media, dell.latency["media"])
    )
    assert one.latency["get"].to_dict() == {"distribution": "gamma", "mean": 0.5, "sigma": 0.1}
    assert (one.limits.requests, two.limits.requests) == (dell.limits.requests, 2)
    assert two.limits.sessions == dell.limits.sessions
    assert (one.quirks.etag_required, two.quirks.etag_required) == (False, True)
    assert two.quirks.sources == {"etag_required": "seen in our lab"}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("extends: acme", 1, "extends: must be one of dell, generic"),
        ("extends: dell\nlatncy: {}", 2, "latncy: unknown field; allowed: vendor, extends"),
        ("extends: dell\nvendor: My Dell", 2, "vendor: must be lower-case"),
        ("extends: dell\nlatency:\n  get: {mean: -1}", 3, "latency.get.mean: must be a number"),
        ("extends: dell\nlatency:\n  get:\n    sigma: 1", 3, "latency.get.mean: missing"),
        ("extends: dell\nboot: {kernel_arguments: a b}", 2, "kernel_arguments: must be letters"),
        ("extends: dell\nboot: {targets: [Cd]}", 2, "boot.targets: must have None"),
        ("extends: dell\nboot:\n  targets: [None, Tape]", 3, r"boot.targets\[1\]: must be one of"),
        (
            "extends: hpe\nquirks:\n  fast: {value: true}",
            3,
            "quirks.fast: unknown field; allowed: etag_required",
        ),
        (
            "extends: hpe\nquirks:\n  power_state_lag: {value: true}",
            3,
            "quirks.power_state_lag.value: must be a number from 0 to 600",
        ),
        ("extends: hpe\nquirks:\n  etag_required: {}", 3, "value: missing; true or false"),
        ("extends: hpe\nfirmware: []", 2, "firmware: must be a list of 1 to 50"),
        (
            "extends: hpe\nfirmware:\n  - version: '1'\n  - version: '1'",
            4,
            r"firmware\[1\].version: '1' stands twice",
        ),
        (
            "extends: hpe\nfirmware:\n  - version: '1'\n    limits:\n      sessions: 0",
            5,
            r"firmware\[0\].limits.sessions: must be a whole number from 1 to 1000",
        ),
        ("extends: hpe\nlimits: 5", 2, "limits: must be a mapping"),
        ("firmware: [{version: '1'}]", 1, "identity: missing; a mapping of"),
        ("extends: dell\nextends: hpe", 2, "stands twice"),
        ("extends: [", 1, "not valid YAML"),
        ("extends: dell\npower: {'on': {mean: !!python/name:os.system 1}}", 2, "tag"),
        (
            "extends: dell\nresources:\n  virtual_media:\n    devices:\n      - {id: a b}",
            5,
            r"resources.virtual_media.devices\[0\].id: must be letters, digits",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    file = write(tmp_path, text)
    with pytest.raises(FieldError, match=message) as refused:
        read(file)
    assert f"{file}:{line}: " in str(refused.value)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_file_with_any_value_for_any_field_is_read_or_refused_with_its_line(
    tmp_path: Path, data: st.DataObject
) -> None:
    """One field of a good file is given a value of another kind."""
    good = yaml.safe_load((FOLDER / "hpe.yaml").read_text())
    where: Any = good
    while True:
        key = data.draw(st.sampled_from(list(where) if isinstance(where, dict) else [0]))
        inner = where[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        where = inner
    junk = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just([])
    where[key] = data.draw(junk | st.just({}) | st.just([[1]]))
    file = write(tmp_path, yaml.safe_dump(good))
    try:
        found = read(file)
    except FieldError as bad:
        refused = str(bad)
    else:
        refused = ""
        assert isinstance(found, Family)
    assert not refused or refused.startswith(f"{file}:")


def test_a_folder_of_files_and_a_missing_one(tmp_path: Path) -> None:
    write(tmp_path, "extends: dell", "one.yaml")
    write(tmp_path, "extends: hpe\nvendor: dell", "two.yaml")
    found = load(tmp_path)
    assert set(found) == {*VENDORS, "one"}
    assert found["dell"].variants[0].manufacturer == "HPE", "a file takes the shipped one's place"
    with pytest.raises(FieldError, match=r"cannot read it|cannot be read"):
        load(tmp_path / "none.yaml")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FieldError, match=r"must hold 1 to 100 files"):
        load(tmp_path / "empty")


def test_a_fleets_file_names_its_personalities(tmp_path: Path) -> None:
    write(tmp_path, "extends: dell\nfirmware: [{version: '9'}]", "mine.yaml")
    spec = {
        "personalities": ["mine.yaml"],
        "hosts": [{"name": "a", "address": "127.1.0.1", "vendor": "mine", "firmware": "9"}],
    }
    file = tmp_path / "fleet.json"
    file.write_text(json.dumps(spec))
    assert FleetSpec.load(file).hosts[0].firmware == "9"
    spec["hosts"][0]["firmware"] = "8"  # type: ignore[index]  # a test's dict
    file.write_text(json.dumps(spec))
    with pytest.raises(FieldError, match=r"spec.hosts\[0\].firmware: must be one of 9, not '8'"):
        FleetSpec.load(file)


def tree(client: Client) -> dict[str, Any]:
    """Everything that links lead to from the service root, by path."""
    found: dict[str, Any] = {}
    waiting = ["/redfish/v1/"]
    while waiting:
        path = waiting.pop()
        if path in found or not path.startswith("/redfish/v1/"):
            continue
        answer = client.call("GET", path)
        body = json.loads(answer.body) if answer.body[:1] == b"{" else {}
        found[path] = body if answer.status == 200 else answer.status
        waiting += _links(body)
    return found


def _links(value: Any) -> list[str]:
    if isinstance(value, dict):
        inner = [link for item in value.values() for link in _links(item)]
        link = value.get("@odata.id")
        return [*inner, link.partition("#")[0]] if isinstance(link, str) else inner
    return [link for item in value for link in _links(item)] if isinstance(value, list) else []


WHOLE = ("Systems", "Managers", "Chassis", "VirtualMedia")
VOLATILE = ("@odata.etag", "DateTime", "DateTimeLocalOffset", "@Redfish.Copyright")


def shown(resources: dict[str, Any]) -> dict[str, Any]:
    """The vendor's own resources as they are; of all others, what type they have."""
    golden: dict[str, Any] = {}
    for path, body in sorted(resources.items()):
        parts = path.strip("/").split("/")
        own = len(parts) <= 4 and (len(parts) < 3 or parts[2] in WHOLE)
        if isinstance(body, dict) and (own or parts[-2] == "VirtualMedia"):
            golden[path] = {name: v for name, v in body.items() if name not in VOLATILE}
        else:
            golden[path] = body.get("@odata.type", "") if isinstance(body, dict) else body
    return golden


@pytest.mark.parametrize(("vendor", "firmware"), VARIANTS)
def test_the_served_resources_are_the_golden_ones(
    fleet_of: Callable[..., Any], client: Client, vendor: str, firmware: str
) -> None:
    """A personality in, a resource tree out; ``UPDATE_GOLDEN=1`` writes what is served now."""
    fleet = fleet_of(hosts=1, vendors=(vendor,), firmware=firmware)
    resources = tree(type(client)(fleet))
    assert all(isinstance(body, dict) for body in resources.values()), "no link leads nowhere"
    text = json.dumps(shown(resources), indent=1, sort_keys=True) + "\n"
    file = GOLDEN / f"{vendor}-{firmware}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text()


def test_the_attribute_of_kernel_arguments_is_what_the_file_says(tmp_path: Path) -> None:
    assert personalities()["dell"].variants[0].kernel_arguments == "KernelArgs"
    assert personalities()["hpe"].variants[0].kernel_arguments == ""
    write(tmp_path, "extends: dell\nboot: {kernel_arguments: BootLine}", "mine.yaml")
    host = {"name": "h", "address": "127.10.0.1", "vendor": "mine"}
    spec = FleetSpec.from_dict({"hosts": [host], "personalities": [str(tmp_path / "mine.yaml")]})
    bmc = Fleet(spec, VirtualRuntime(1), Credentials("a", "b")).bmcs["h"]
    bios = bmc.drivers.get("bios_settings")
    bios.plan({"BootLine": "quiet"})
    assert bios.booted(0.0) == "quiet"
    assert "KernelArgs" not in bios.current
