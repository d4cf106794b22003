"""Registries: the messages that this service sends, and the attributes of its BIOS."""

from __future__ import annotations

from typing import Any

import flask

from emulator.bmc.services import base, bios
from emulator.bmc.services.messages import BASE, REGISTRY, REGISTRY_VERSION

REGISTRIES = f"{base.ROOT}/Registries"
BASE_FILE = f"{REGISTRIES}/{REGISTRY}"
BIOS_FILE = f"{REGISTRIES}/{bios.REGISTRY}"


def _file(path: str, ident: str, registry: str, uri: str) -> dict[str, Any]:
    return base.resource(
        path,
        "MessageRegistryFile.v1_1_3",
        ident,
        f"{ident} Registry File",
        Languages=["en"],
        Registry=registry,
        Location=[{"Language": "en", "Uri": uri}],
    ) | {"Languages@odata.count": 1, "Location@odata.count": 1}


def _messages() -> dict[str, Any]:
    entries = {}
    for key, (text, severity, resolution) in BASE.items():
        args = sum(f"%{number}" in text for number in range(1, 6))
        entries[key] = {
            "Description": text,
            "Message": text,
            "MessageSeverity": severity,
            "Severity": severity,
            "NumberOfArgs": args,
            "ParamTypes": ["string"] * args,
            "Resolution": resolution,
        }
    return {
        "@odata.type": "#MessageRegistry.v1_6_2.MessageRegistry",
        "Id": f"Base.{REGISTRY_VERSION}",
        "Name": "Base Message Registry",
        "Language": "en",
        "Description": "The messages of the Base registry that this service uses",
        "RegistryPrefix": "Base",
        "RegistryVersion": REGISTRY_VERSION,
        "OwningEntity": "DMTF",
        "Messages": entries,
    }


def _attributes() -> dict[str, Any]:
    attributes = [
        {
            "AttributeName": name,
            "DisplayName": name,
            "Type": "Enumeration",
            "DefaultValue": default,
            "ReadOnly": False,
            "ResetRequired": True,
            "Value": [{"ValueName": value, "ValueDisplayName": value} for value in values],
        }
        for name, (default, values) in bios.ATTRIBUTES.items()
    ]
    settings: bios.Bios = base.state("bios_settings")
    attributes += [
        {
            "AttributeName": name,
            "DisplayName": name,
            "Type": "String",
            "DefaultValue": default,
            "MaxLength": bios.ARGUMENTS_LENGTH,
            "ReadOnly": False,
            "ResetRequired": True,
        }
        for name, default in settings.defaults.items()
        if name not in bios.ATTRIBUTES
    ]
    return {
        "@odata.type": "#AttributeRegistry.v1_3_6.AttributeRegistry",
        "Id": bios.REGISTRY,
        "Name": "BIOS Attribute Registry",
        "Language": "en",
        "RegistryVersion": "1.0.0",
        "OwningEntity": "Beskar7",
        "RegistryEntries": {"Attributes": attributes},
    }


def register(app: flask.Flask) -> None:
    @base.route(app, REGISTRIES)
    def registries() -> Any:
        paths = [BASE_FILE, BIOS_FILE]
        return base.collection(REGISTRIES, "MessageRegistryFile", "Registries", paths)

    @base.route(app, BASE_FILE)
    def base_file() -> Any:
        return _file(BASE_FILE, REGISTRY, REGISTRY, f"{BASE_FILE}/Registry")

    @base.route(app, f"{BASE_FILE}/Registry")
    def base_registry() -> Any:
        return {"@odata.id": f"{BASE_FILE}/Registry", **_messages()}

    @base.route(app, BIOS_FILE)
    def bios_file() -> Any:
        return _file(BIOS_FILE, bios.REGISTRY, bios.REGISTRY, f"{BIOS_FILE}/Registry")

    @base.route(app, f"{BIOS_FILE}/Registry")
    def bios_registry() -> Any:
        return {"@odata.id": f"{BIOS_FILE}/Registry", **_attributes()}
