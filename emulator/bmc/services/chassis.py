"""Power and Thermal of a chassis, as the machine's state has them."""

from __future__ import annotations

from typing import Any

import flask

from emulator.bmc.services import base

IDLE_WATTS, LOAD_WATTS, STANDBY_WATTS = 180, 320, 12
"""Consumption after a boot, during it, and when off (assumption: a two-socket server)."""
SUPPLY_WATTS = 800
IDLE_CELSIUS, LOAD_CELSIUS, INLET_CELSIUS = 42, 58, 23


def _load() -> tuple[int, int]:
    """Watts and processor temperature, now."""
    machine = base.call().bmc.machine
    if machine.power != "On":
        return STANDBY_WATTS, INLET_CELSIUS
    busy = machine.boot is not None and not machine.boot_finished
    return (LOAD_WATTS, LOAD_CELSIUS) if busy else (IDLE_WATTS, IDLE_CELSIUS)


def _only(identity: str) -> str:
    """The chassis' path. Raises 404 for another's."""
    driver = base.call().bmc.drivers.get("chassis")
    if identity not in driver.chassis:
        raise base.missing()
    return f"{base.ROOT}/Chassis/{identity}"


def register(app: flask.Flask) -> None:
    rule = f"{base.ROOT}/Chassis/<identity>"

    @base.route(app, f"{rule}/Power")
    def power(identity: str) -> Any:
        path = f"{_only(identity)}/Power"
        watts, _ = _load()
        supplies = [
            {
                "@odata.id": f"{path}#/PowerSupplies/{index}",
                "MemberId": str(index),
                "Name": f"Power Supply {index + 1}",
                "PowerSupplyType": "AC",
                "PowerCapacityWatts": SUPPLY_WATTS,
                "PowerInputWatts": watts / 2,
                "LineInputVoltage": 230,
                "Status": base.OK,
            }
            for index in range(2)
        ]
        control = {
            "@odata.id": f"{path}#/PowerControl/0",
            "MemberId": "0",
            "Name": "Server Power Control",
            "PowerConsumedWatts": watts,
            "PowerCapacityWatts": 2 * SUPPLY_WATTS,
            "Status": base.OK,
        }
        return base.resource(
            path, "Power.v1_7_2", "Power", "Power", PowerControl=[control], PowerSupplies=supplies
        )

    @base.route(app, f"{rule}/Thermal")
    def thermal(identity: str) -> Any:
        path = f"{_only(identity)}/Thermal"
        bmc = base.call().bmc
        watts, celsius = _load()
        sensors = [("Inlet Temp", INLET_CELSIUS, "Intake", 42, 47)]
        sensors += [
            (f"CPU{socket} Temp", celsius, "CPU", 85, 95)
            for socket in range(bmc.personality.sockets)
        ]
        temperatures = [
            {
                "@odata.id": f"{path}#/Temperatures/{index}",
                "MemberId": str(index),
                "Name": name,
                "ReadingCelsius": reading,
                "UpperThresholdNonCritical": warning,
                "UpperThresholdCritical": critical,
                "PhysicalContext": context,
                "Status": base.OK,
            }
            for index, (name, reading, context, warning, critical) in enumerate(sensors)
        ]
        fans = [
            {
                "@odata.id": f"{path}#/Fans/{index}",
                "MemberId": str(index),
                "Name": f"Fan {index + 1}",
                "Reading": 0 if watts == STANDBY_WATTS else 20 * celsius,
                "ReadingUnits": "RPM",
                "PhysicalContext": "SystemBoard",
                "Status": base.OK,
            }
            for index in range(4)
        ]
        return base.resource(
            path, "Thermal.v1_7_1", "Thermal", "Thermal", Temperatures=temperatures, Fans=fans
        )
