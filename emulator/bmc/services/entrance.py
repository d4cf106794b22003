"""The entrance: ``/redfish``, the service root, the OData service document, ``$metadata``."""

from __future__ import annotations

from typing import Any

import flask

from emulator.bmc.services import base

NAVIGATION = {
    name: f"{base.ROOT}/{name}"
    for name in (
        *("Systems", "Chassis", "Managers", "TaskService", "SessionService", "AccountService"),
        *("EventService", "UpdateService", "CertificateService", "Registries"),
    )
}
PROTOCOL_FEATURES = {
    "ExpandQuery": {
        "ExpandAll": True,
        "Levels": True,
        "Links": True,
        "NoLinks": True,
        "MaxLevels": 3,
    },
    "SelectQuery": True,
    "FilterQuery": False,
    "OnlyMemberQuery": True,
    "ExcerptQuery": False,
    "TopSkipQuery": True,
    "DeepOperations": {"DeepPATCH": False, "DeepPOST": False},
}
# Schema: the versions that this service answers with. What sushy-tools renders has its own.
SCHEMAS: dict[str, tuple[str, ...]] = {
    "AccountService": ("v1_15_0",),
    "ActionInfo": ("v1_4_2",),
    "AttributeRegistry": ("v1_3_6",),
    "Bios": ("v1_2_1",),
    "BootOption": ("v1_0_5",),
    "BootOptionCollection": (),
    "Certificate": ("v1_3_0",),
    "CertificateCollection": (),
    "CertificateLocations": ("v1_0_2",),
    "CertificateService": ("v1_0_4",),
    "Chassis": ("v1_5_0",),
    "ChassisCollection": (),
    "ComputerSystem": ("v1_18_0",),
    "ComputerSystemCollection": (),
    "Drive": ("v1_17_0",),
    "EthernetInterface": ("v1_9_0", "v1_0_2"),
    "EthernetInterfaceCollection": (),
    "Event": ("v1_9_0",),
    "EventDestination": ("v1_14_0",),
    "EventDestinationCollection": (),
    "EventService": ("v1_10_0",),
    "LogEntry": ("v1_16_0",),
    "LogEntryCollection": (),
    "LogService": ("v1_5_0",),
    "LogServiceCollection": (),
    "Manager": ("v1_19_0",),
    "ManagerAccount": ("v1_12_0",),
    "ManagerAccountCollection": (),
    "ManagerCollection": (),
    "ManagerNetworkProtocol": ("v1_10_0",),
    "Memory": ("v1_19_0",),
    "MemoryCollection": (),
    "Message": ("v1_1_1",),
    "MessageRegistry": ("v1_6_2",),
    "MessageRegistryFile": ("v1_1_3",),
    "MessageRegistryFileCollection": (),
    "NetworkAdapter": ("v1_10_0",),
    "NetworkAdapterCollection": (),
    "NetworkInterface": ("v1_2_2",),
    "NetworkInterfaceCollection": (),
    "Power": ("v1_7_2",),
    "Processor": ("v1_20_0",),
    "ProcessorCollection": (),
    "Role": ("v1_3_1",),
    "RoleCollection": (),
    "SecureBoot": ("v1_1_0",),
    "ServiceRoot": ("v1_16_0",),
    "Session": ("v1_7_0",),
    "SessionCollection": (),
    "SessionService": ("v1_1_9",),
    "Settings": ("v1_3_5",),
    "SoftwareInventory": ("v1_10_0",),
    "SoftwareInventoryCollection": (),
    "SimpleStorage": ("v1_2_0",),
    "SimpleStorageCollection": (),
    "Storage": ("v1_15_0",),
    "StorageCollection": (),
    "Task": ("v1_7_4",),
    "TaskCollection": (),
    "TaskService": ("v1_2_1",),
    "Thermal": ("v1_7_1",),
    "UpdateService": ("v1_11_0",),
    "VirtualMedia": ("v1_4_0",),
    "VirtualMediaCollection": (),
    "Volume": ("v1_10_0",),
    "VolumeCollection": (),
}


def metadata() -> bytes:
    """The CSDL document that references the DMTF's schemas, in the form that DSP0266 gives."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    edmx = "http://docs.oasis-open.org/odata/ns/edmx"
    lines.append(f'<edmx:Edmx xmlns:edmx="{edmx}" Version="4.0">')
    for name, versions in SCHEMAS.items():
        uri = f"http://redfish.dmtf.org/schemas/v1/{name}_v1.xml"
        lines.append(f'  <edmx:Reference Uri="{uri}">')
        for namespace in (name, *(f"{name}.{version}" for version in versions)):
            lines.append(f'    <edmx:Include Namespace="{namespace}"/>')
        lines.append("  </edmx:Reference>")
    lines += [
        '  <edmx:Reference Uri="http://redfish.dmtf.org/schemas/v1/RedfishExtensions_v1.xml">',
        '    <edmx:Include Namespace="RedfishExtensions.v1_0_0" Alias="Redfish"/>',
        "  </edmx:Reference>",
        "  <edmx:DataServices>",
        '    <Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="Service">',
        '      <EntityContainer Name="Service" Extends="ServiceRoot.v1_16_0.ServiceContainer"/>',
        "    </Schema>",
        "  </edmx:DataServices>",
        "</edmx:Edmx>",
    ]
    return "\n".join(lines).encode()


def register(app: flask.Flask) -> None:
    @base.route(app, "/redfish")
    def versions() -> Any:
        return {"v1": f"{base.ROOT}/"}

    @base.route(app, f"{base.ROOT}/")
    def root() -> Any:
        bmc = base.call().bmc
        return base.resource(
            f"{base.ROOT}/",
            "ServiceRoot.v1_16_0",
            "RootService",
            "Root Service",
            RedfishVersion="1.18.0",
            UUID=bmc.manager_uuid,
            Vendor=bmc.personality.manufacturer,
            Product=bmc.personality.bmc_model,
            ProtocolFeaturesSupported=PROTOCOL_FEATURES,
            **{name: base.link(path) for name, path in NAVIGATION.items() if name != "TaskService"},
            Tasks=base.link(NAVIGATION["TaskService"]),
            Links={"Sessions": base.link(f"{base.ROOT}/SessionService/Sessions")},
        )

    @base.route(app, f"{base.ROOT}/odata")
    def odata() -> Any:
        entries = {"Service": f"{base.ROOT}/"} | {
            ("Tasks" if name == "TaskService" else name): path for name, path in NAVIGATION.items()
        }
        entries["Sessions"] = f"{base.ROOT}/SessionService/Sessions"
        return {
            "@odata.context": f"{base.ROOT}/$metadata",
            "value": [
                {"name": name, "kind": "Singleton", "url": url} for name, url in entries.items()
            ],
        }

    @base.route(app, f"{base.ROOT}/$metadata")
    def schema() -> Any:
        return flask.Response(_METADATA, 200, content_type="application/xml")


_METADATA = metadata()
