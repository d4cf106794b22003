"""Processors, Memory, Storage and Drives, NetworkInterfaces: the inventory of a machine.

All of it follows from the host's entry in the fleet, so that nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import flask

from emulator.bmc.services import base

DIMM_GIB = 16
DRIVES = 2
DRIVE_BYTES = 960_197_124_096
"""A drive sold as 960 GB."""
ADAPTER = "NIC1"
CONTROLLER = "1"
Members = dict[str, Callable[[], dict[str, Any]]]
"""Of a collection: by identity, what renders the member."""


def _system(identity: str) -> str:
    base.only(identity)
    return f"{base.ROOT}/Systems/{identity}"


def _processor(path: str, socket: int) -> dict[str, Any]:
    bmc = base.call().bmc
    cores = len(range(socket, bmc.spec.cores, bmc.personality.sockets))
    return base.resource(
        f"{path}/Processors/CPU{socket}",
        "Processor.v1_20_0",
        f"CPU{socket}",
        f"CPU {socket}",
        Socket=f"CPU {socket}",
        ProcessorType="CPU",
        ProcessorArchitecture="x86",
        InstructionSet="x86-64",
        Manufacturer="Generic",
        Model="Generic",
        MaxSpeedMHz=3500,
        TotalCores=cores,
        TotalThreads=2 * cores,
        Status=base.OK,
    )


def dimms(gib: int) -> list[int]:
    """The modules, in GiB, that make up a memory."""
    whole, rest = divmod(gib, DIMM_GIB)
    return [DIMM_GIB] * whole + ([rest] if rest else [])


def _memory(path: str, index: int, gib: int) -> dict[str, Any]:
    return base.resource(
        f"{path}/Memory/DIMM{index}",
        "Memory.v1_19_0",
        f"DIMM{index}",
        f"DIMM {index}",
        MemoryType="DRAM",
        MemoryDeviceType="DDR5",
        CapacityMiB=gib * 1024,
        OperatingSpeedMhz=4800,
        ErrorCorrection="MultiBitECC",
        DeviceLocator=f"DIMM {index}",
        Status=base.OK,
    )


def _drive(path: str, index: int) -> dict[str, Any]:
    return base.resource(
        f"{path}/Storage/{CONTROLLER}/Drives/{index}",
        "Drive.v1_17_0",
        str(index),
        f"SSD {index}",
        CapacityBytes=DRIVE_BYTES,
        BlockSizeBytes=512,
        MediaType="SSD",
        Protocol="NVMe",
        Manufacturer="Generic",
        Model="NVMe 960",
        SerialNumber=f"{base.call().bmc.serial}-{index}",
        FailurePredicted=False,
        PredictedMediaLifeLeftPercent=98,
        Status=base.OK,
    )


def _storage(path: str) -> dict[str, Any]:
    here = f"{path}/Storage/{CONTROLLER}"
    controller = {
        "@odata.id": f"{here}#/StorageControllers/0",
        "MemberId": "0",
        "Name": "NVMe Controller",
        "FirmwareVersion": "1.0.0",
        "SupportedControllerProtocols": ["PCIe"],
        "SupportedDeviceProtocols": ["NVMe"],
        "Status": base.OK,
    }
    return base.resource(
        here,
        "Storage.v1_15_0",
        CONTROLLER,
        "Storage Controller",
        StorageControllers=[controller],
        Drives=[base.link(f"{here}/Drives/{index}") for index in range(DRIVES)],
        Volumes=base.link(f"{here}/Volumes"),
        Status=base.OK,
    ) | {"StorageControllers@odata.count": 1, "Drives@odata.count": DRIVES}


def _interface(path: str) -> dict[str, Any]:
    chassis = base.call().bmc.drivers.get("chassis").chassis[0]
    adapter = f"{base.ROOT}/Chassis/{chassis}/NetworkAdapters/{ADAPTER}"
    return base.resource(
        f"{path}/NetworkInterfaces/{ADAPTER}",
        "NetworkInterface.v1_2_2",
        ADAPTER,
        "Network Interface",
        Status=base.OK,
        Links={"NetworkAdapter": base.link(adapter)},
    )


def _members(
    app: flask.Flask,
    name: str,
    kind: str,
    find: Callable[[str], Members],
) -> None:
    """Routes of a collection of a system and its members; ``find`` gives them by identity."""
    rule = f"{base.ROOT}/Systems/<identity>/{name}"

    def collection(identity: str) -> Any:
        path = _system(identity)
        members = [f"{path}/{name}/{ident}" for ident in find(path)]
        return base.collection(f"{path}/{name}", kind, name, members)

    def member(identity: str, ident: str) -> Any:
        make = find(_system(identity)).get(ident)
        if make is None:
            raise base.missing()
        return make()

    collection.__name__, member.__name__ = f"{name}_collection", f"{name}_member"
    base.route(app, rule)(collection)
    base.route(app, f"{rule}/<ident>")(member)


def _processors(path: str) -> Members:
    sockets = range(base.call().bmc.personality.sockets)
    return {f"CPU{n}": partial(_processor, path, n) for n in sockets}


def _modules(path: str) -> Members:
    modules = dimms(base.call().bmc.spec.memory_gib)
    return {f"DIMM{n}": partial(_memory, path, n, gib) for n, gib in enumerate(modules)}


def register(app: flask.Flask) -> None:
    _members(app, "Memory", "Memory", _modules)
    _members(
        app,
        "NetworkInterfaces",
        "NetworkInterface",
        lambda path: {ADAPTER: lambda: _interface(path)},
    )

    # sushy-tools has these two, with other names of the arguments.
    @base.route(app, f"{base.ROOT}/Systems/<identity>/Processors")
    def processors(identity: str) -> Any:
        path = _system(identity)
        members = [f"{path}/Processors/{ident}" for ident in _processors(path)]
        return base.collection(f"{path}/Processors", "Processor", "Processors", members)

    @base.route(app, f"{base.ROOT}/Systems/<identity>/Processors/<processor_id>")
    def processor(identity: str, processor_id: str) -> Any:
        make = _processors(_system(identity)).get(processor_id)
        if make is None:
            raise base.missing()
        return make()

    @base.route(app, f"{base.ROOT}/Systems/<identity>/Storage")
    def storage_collection(identity: str) -> Any:
        path = f"{_system(identity)}/Storage"
        return base.collection(path, "Storage", "Storage", [f"{path}/{CONTROLLER}"])

    @base.route(app, f"{base.ROOT}/Systems/<identity>/Storage/<storage_id>")
    def storage(identity: str, storage_id: str) -> Any:
        path = _system(identity)
        if storage_id != CONTROLLER:
            raise base.missing()
        return _storage(path)

    @base.route(app, f"{base.ROOT}/Systems/<identity>/Storage/<stg_id>/Drives/<drv_id>")
    def drive(identity: str, stg_id: str, drv_id: str) -> Any:
        path = _system(identity)
        if stg_id != CONTROLLER or drv_id not in map(str, range(DRIVES)):
            raise base.missing()
        return _drive(path, int(drv_id))

    @base.route(app, f"{base.ROOT}/Systems/<identity>/Storage/<storage_id>/Volumes")
    def volumes(identity: str, storage_id: str) -> Any:
        path = f"{_system(identity)}/Storage/{CONTROLLER}/Volumes"
        if storage_id != CONTROLLER:
            raise base.missing()
        return base.collection(path, "Volume", "Volumes", [])

    rule = f"{base.ROOT}/Chassis/<identity>/NetworkAdapters"

    def chassis(identity: str) -> str:
        if identity not in base.call().bmc.drivers.get("chassis").chassis:
            raise base.missing()
        return f"{base.ROOT}/Chassis/{identity}/NetworkAdapters"

    @base.route(app, rule)
    def network_adapters(identity: str) -> Any:
        path = chassis(identity)
        return base.collection(path, "NetworkAdapter", "Network Adapters", [f"{path}/{ADAPTER}"])

    @base.route(app, f"{rule}/<ident>")
    def network_adapter(identity: str, ident: str) -> Any:
        path = chassis(identity)
        if ident != ADAPTER:
            raise base.missing()
        return base.resource(
            f"{path}/{ADAPTER}",
            "NetworkAdapter.v1_10_0",
            ADAPTER,
            "Network Adapter",
            Manufacturer="Generic",
            Model="25GbE",
            Status=base.OK,
        )
