"""From a personality's file to its :class:`Family`, or to what is wrong with it and where."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from emulator import fields as f
from emulator import yamlfile
from emulator.bmc import quirks
from emulator.bmc.machine import BOOT_TARGETS, RESET_TYPES
from emulator.bmc.personality import (
    OPERATIONS,
    UUID,
    Family,
    Limits,
    MediaDevice,
    Personality,
)
from emulator.fields import FieldError
from emulator.latency import Latency

SECTIONS = (*("identity", "hardware", "resources", "power", "boot", "limits", "latency", "quirks"),)
ABSENTABLE = (
    *("Bios", "BootOptions", "LogServices", "Memory", "NetworkInterfaces", "Processors"),
    *("SecureBoot", "SimpleStorage", "Storage"),
)
"""Sub-resources of a System that a personality may leave out."""
MEDIA_TYPES = ("CD", "DVD", "Floppy", "USBStick")
DISTRIBUTION = {"distribution", "mean", "sigma", "quantiles"}
_BOOT_FIELDS = ("targets", "ignored", "progress", "kernel_arguments", "duration", "phases")
MAX_FILES = 100
MAX_VERSIONS = 50
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_IDENT = re.compile(r"[A-Za-z0-9][-A-Za-z0-9._]{0,63}")


@cache
def personalities() -> Mapping[str, Family]:
    """All that are shipped, by vendor. Raises :class:`FieldError`: a file is not as it should."""
    return load(Path(str(resources.files("emulator.bmc.personalities"))), {})


def load(place: Path, known: Mapping[str, Family] | None = None) -> dict[str, Family]:
    """``known`` (the shipped ones unless given) and those of a file, or of all files of a folder.

    A file whose vendor is known takes its place. Raises :class:`FieldError` with file and line.
    """
    found = dict(personalities() if known is None else known)
    files = [place]
    if place.is_dir():
        files = sorted(place.glob("*.yaml"))
        if not 0 < len(files) <= MAX_FILES:
            raise FieldError(f"{place}: must hold 1 to {MAX_FILES} files *.yaml, not {len(files)}")
    for file in files:
        family = read(file)
        found[family.vendor] = family
    return found


def read(file: Path) -> Family:
    """One file. Raises :class:`FieldError` with file, line, field, and what would be right."""
    document = yamlfile.read(file)
    try:
        vendor, data = _inherited(document.data, file)
    except FieldError as bad:
        raise document.located(bad) from None
    versions = data.get("firmware")
    if not isinstance(versions, list) or not 0 < len(versions) <= MAX_VERSIONS:
        raise document.located(
            FieldError(f"firmware: must be a list of 1 to {MAX_VERSIONS} {{version: ...}}")
        )
    variants: list[Personality] = []
    for index, entry in enumerate(versions):
        inside = f"firmware[{index}]"
        try:
            part = f.mapping(entry, inside, ("version", "source", *SECTIONS))
            version = f.text(part.get("version"), f"{inside}.version", 64)
            if any(version == known.bmc_firmware for known in variants):
                raise FieldError(f"{inside}.version: {version!r} stands twice")
            over = {name: value for name, value in part.items() if name in SECTIONS}
            variants.append(_parse(vendor, version, _merged(data, over)))
        except FieldError as bad:
            raise document.located(bad, inside) from None
    return Family(vendor, tuple(variants))


def _inherited(data: object, file: Path) -> tuple[str, dict[str, Any]]:
    """The vendor's name, and the file's data over those of the one that it extends."""
    top = dict(f.mapping(data, "", ("vendor", "extends", "firmware", *SECTIONS)))
    vendor = f.text(top.pop("vendor", file.stem), "vendor", 63)
    if not _NAME.fullmatch(vendor):
        raise FieldError(f"vendor: must be lower-case letters, digits and '-', not {vendor!r}")
    base = top.pop("extends", None)
    if base is None:
        return vendor, top
    shipped = Path(str(resources.files("emulator.bmc.personalities")))
    names = sorted(path.stem for path in shipped.glob("*.yaml"))
    name = f.choice(base, "extends", names)
    inherited = yamlfile.read(shipped / f"{name}.yaml").data
    return vendor, _merged(inherited, top)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` over ``below``: mappings field by field, all else as a whole.

    A distribution is one thing: its fields mean nothing beside those of another kind.
    """
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        whole = isinstance(value, Mapping) and DISTRIBUTION & set(value)
        if isinstance(value, Mapping) and isinstance(under, Mapping) and not whole:
            merged[name] = _merged(under, value)
        else:
            merged[name] = value
    return merged


def _section(data: Mapping[str, Any], name: str, *allowed: str) -> Mapping[str, Any]:
    if name not in data:
        raise FieldError(f"{name}: missing; a mapping of {', '.join(allowed)}")
    return f.mapping(data[name], name, (*allowed, "source"))


def _needed(fields: Mapping[str, Any], where: str, name: str) -> Any:
    if name not in fields:
        raise FieldError(f"{where}.{name}: missing")
    return fields[name]


def _parse(vendor: str, firmware: str, data: Mapping[str, Any]) -> Personality:
    words = ("manufacturer", "models", "serial", "bmc_model")
    identity = _section(data, "identity", *words, "system", "manager", "chassis")
    hardware = _section(data, "hardware", "cores", "memory_gib", "sockets")
    power = _section(data, "power", "on", "off", "shutdown", "reset_types")
    latency = _section(data, "latency", *OPERATIONS)
    texts: dict[str, Any] = {
        name: f.text(_needed(identity, "identity", name), f"identity.{name}")
        for name in words
        if name != "models"
    }
    models = f.texts(_needed(identity, "identity", "models"), "identity.models")
    if not models:
        raise FieldError("identity.models: must name one at least")
    for name, wider in OPERATIONS.items():
        if not wider:
            _needed(latency, "latency", name)
    return Personality(
        vendor=vendor,
        bmc_firmware=firmware,
        models=models,
        **texts,
        system_id=_ident(identity.get("system", UUID), "identity.system"),
        manager_id=_ident(identity.get("manager", UUID), "identity.manager"),
        chassis_id=_ident(identity.get("chassis", UUID), "identity.chassis"),
        cores=f.whole(hardware.get("cores"), "hardware.cores", 1, 4096),
        memory_gib=f.whole(hardware.get("memory_gib"), "hardware.memory_gib", 1, 65536),
        sockets=f.whole(hardware.get("sockets"), "hardware.sockets", 1, 16),
        power_on=_distribution(power, "power", "on"),
        power_off=_distribution(power, "power", "off"),
        shutdown=_distribution(power, "power", "shutdown"),
        reset_types=_choices(power.get("reset_types"), "power.reset_types", RESET_TYPES),
        latency={
            name: Latency.from_dict(latency[name], f"latency.{name}")
            for name in OPERATIONS
            if name in latency
        },
        limits=_limits(data.get("limits", {})),
        quirks=quirks.parse(data.get("quirks", {}), "quirks"),
        sources={
            name: f.text(data[name]["source"], f"{name}.source", 1000)
            for name in SECTIONS
            if name != "quirks" and isinstance(data.get(name), Mapping) and "source" in data[name]
        },
        **_resources(data),
        **_boot(data),
    )


def _resources(data: Mapping[str, Any]) -> dict[str, Any]:
    fields = _section(data, "resources", "virtual_media", "absent", "oem", "post_words")
    at = "resources.virtual_media"
    media = f.mapping(_needed(fields, "resources", "virtual_media"), at, ("under", "devices"))
    entries = media.get("devices")
    if not isinstance(entries, list) or not 0 < len(entries) <= 16:
        raise FieldError(f"{at}.devices: must be a list of 1 to 16 {{id, name, types}}")
    devices = []
    for index, entry in enumerate(entries):
        here = f"{at}.devices[{index}]"
        part = f.mapping(entry, here, ("id", "name", "types"))
        ident = _ident(part.get("id"), f"{here}.id")
        types = _choices(part.get("types"), f"{here}.types", MEDIA_TYPES)
        devices.append(MediaDevice(ident, f.text(part.get("name"), f"{here}.name"), types))
    oem = f.mapping(fields.get("oem", {}), "resources.oem", ("System", "Manager"))
    words = f.labels(fields.get("post_words", {}), "resources.post_words")
    states = ("off", "post", "done")
    if words and set(words) != set(states):
        raise FieldError(f"resources.post_words: must have {', '.join(states)}")
    return {
        "media_under": f.choice(media.get("under"), f"{at}.under", ("System", "Manager", "Both")),
        "media": tuple(devices),
        "absent": frozenset(_choices(fields.get("absent", []), "resources.absent", ABSENTABLE)),
        "oem": {name: _json(value, f"resources.oem.{name}") for name, value in oem.items()},
        "post_words": words,
    }


def _boot(data: Mapping[str, Any]) -> dict[str, Any]:
    fields = _section(data, "boot", *_BOOT_FIELDS)
    targets = _choices(fields.get("targets", list(BOOT_TARGETS)), "boot.targets", BOOT_TARGETS)
    if "None" not in targets:
        raise FieldError("boot.targets: must have None, by which an override is withdrawn")
    phases: list[tuple[float, str]] = []
    entries = fields.get("phases", [])
    if not isinstance(entries, list) or len(entries) > 20:
        raise FieldError("boot.phases: must be a list of at most 20 [share, state]")
    for index, entry in enumerate(entries):
        at = f"boot.phases[{index}]"
        if not isinstance(entry, list) or len(entry) != 2:
            raise FieldError(f"{at}: must be [share of the boot from 0 to 1, BootProgress state]")
        least = phases[-1][0] if phases else 0.0
        phases.append((f.number(entry[0], f"{at}[0]", least, 1.0), f.text(entry[1], f"{at}[1]")))
    return {
        "boot_targets": targets,
        "boot_ignored": frozenset(_choices(fields.get("ignored", []), "boot.ignored", targets)),
        "boot_progress": f.flag(fields.get("progress", True), "boot.progress"),
        "kernel_arguments": _attribute(fields.get("kernel_arguments", "")),
        "boot": _distribution(fields, "boot", "duration"),
        "phases": tuple(phases),
    }


def _limits(data: object) -> Limits:
    names = ("sessions", "session_timeout", "session_refusal", "requests", "retry_after")
    fields = f.mapping(data, "limits", (*names, "source"))
    bounds = {"sessions": (1, 1000), "session_timeout": (30, 86_400), "requests": (0, 10_000)}
    bounds |= {"session_refusal": (400, 599), "retry_after": (0, 3600)}
    given = {
        name: f.whole(fields[name], f"limits.{name}", *bounds[name])
        for name in names
        if name in fields
    }
    return Limits(**given)


def _distribution(fields: Mapping[str, Any], where: str, name: str) -> Latency:
    return Latency.from_dict(_needed(fields, where, name), f"{where}.{name}")


def _attribute(value: object) -> str:
    """The name of a BIOS attribute; empty: none."""
    where = "boot.kernel_arguments"
    name = "" if value == "" else f.text(value, where, 64)
    if name and not _ATTRIBUTE.fullmatch(name):
        raise FieldError(f"{where}: must be letters, digits and '_', not {name!r}")
    return name


def _ident(value: object, where: str) -> str:
    ident = f.text(value, where, 64)
    if ident != UUID and not _IDENT.fullmatch(ident):
        raise FieldError(f"{where}: must be letters, digits, '-', '.' and '_', not {ident!r}")
    return ident


def _choices(value: object, where: str, allowed: Sequence[str]) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise FieldError(f"{where}: must be a list of {', '.join(allowed)}, not {value!r}")
    found = [f.choice(item, f"{where}[{index}]", allowed) for index, item in enumerate(value)]
    return tuple(dict.fromkeys(found))


def _json(value: object, where: str) -> dict[str, Any]:
    """Checked to be a JSON object of a modest size."""
    if not isinstance(value, dict):
        raise FieldError(f"{where}: must be a mapping, not {value!r}")
    return value
