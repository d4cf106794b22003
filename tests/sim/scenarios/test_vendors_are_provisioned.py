"""The real controller provisions and gives back machines of every vendor, in virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.bmc.personalityfile import personalities

pytestmark = pytest.mark.sim

VARIANTS = [(vendor, v) for vendor, f in personalities().items() for v in f.versions]
# Quirks that real machines have somewhere, each laid over a machine that has them not.
QUIRKS = {
    "etag_required": "true",
    "boot_refused_in_post": "true",
    "media_task_seconds": "20",
    "media_options_refused": "true",
    "transfer_protocol_required": "true",
    "eject_needs_body": "true",
    "eject_empty_refused": "true",
    "insert_occupied_refused": "true",
    "inserted_missing": "true",
    "stale_image": "true",
    "power_state_lag": "10",
    "reset_conflict": "true",
    "busy_after_write": "5",
    "members_unordered": "true",
    "media_by_patch": "true",
}


def played(play, file: Path, text: str) -> None:
    file.write_text(text)
    hosts = [f'world.hosts.personalities=["{file}"]', "world.hosts.vendors={mine: 1}"]
    result = play("smoke", overrides=(*hosts, "world.hosts.count=3", "load.machines=2"))
    assert result.violations == []
    assert result.metrics["provisioned"] == 2
    assert result.metrics["released"] == 1


@pytest.mark.parametrize(("vendor", "firmware"), VARIANTS)
def test_each_vendor_with_each_firmware(play, tmp_path: Path, vendor: str, firmware: str) -> None:
    shipped = Path(__file__).parents[3] / "emulator" / "bmc" / "personalities" / f"{vendor}.yaml"
    lines = shipped.read_text().splitlines()
    begin = lines.index(next(line for line in lines if line.startswith("firmware:")))
    end = next(i for i in range(begin + 1, len(lines)) if lines[i][:1] not in ("", " "))
    kept, taken = [], False
    for line in lines[begin + 1 : end]:
        if line.startswith("  - version:"):
            taken = f'"{firmware}"' in line
        kept += [line] if taken else []
    text = "\n".join(["vendor: mine", *lines[: begin + 1], *kept, *lines[end:]])
    played(play, tmp_path / "mine.yaml", text)


@pytest.mark.parametrize("quirk", QUIRKS)
def test_each_quirk_that_the_controller_copes_with(play, tmp_path: Path, quirk: str) -> None:
    text = f"extends: generic\nquirks: {{{quirk}: {{value: {QUIRKS[quirk]}}}}}\n"
    played(play, tmp_path / "mine.yaml", text)
