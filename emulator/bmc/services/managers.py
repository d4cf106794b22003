"""The BMC as a resource: its clock, its network, and its own reset."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import flask

from emulator.bmc.services import base
from emulator.bmc.services.messages import refuse

if TYPE_CHECKING:
    from emulator.bmc.bmc import Bmc

MANAGERS = f"{base.ROOT}/Managers"
RESET = "Manager.Reset"
RESET_TYPES = ("ForceRestart", "GracefulRestart")
REBOOT = 90.0
"""Seconds of a real BMC's reboot (assumption); a fleet's ``scale.boot`` shortens them."""
GRACE = 5.0
"""Seconds from the command until the BMC goes down (assumption); shortened likewise."""
NIC = "eth0"
MAX_SERVERS = 8
"""Of the time, by NTP."""
MAX_OFFSET = 14 * 60
"""Minutes that a time zone is away from UTC at most."""


class ManagerState:
    """What clients set at a BMC; a reboot keeps it."""

    def __init__(self, bmc: Bmc) -> None:
        self.asset_tag = ""
        self.clock = 0.0
        """Seconds by which the BMC's clock is ahead of the world's."""
        self.zone = 0
        """Minutes east of UTC."""
        self.host_name = bmc.name
        self.protocols: dict[str, bool] = {}
        self.ntp_servers: list[str] = []

    @property
    def offset(self) -> str:
        sign = "-" if self.zone < 0 else "+"
        hours, minutes = divmod(abs(self.zone), 60)
        return f"{sign}{hours:02d}:{minutes:02d}"

    def date(self, wall: float) -> str:
        """The BMC's time as Redfish writes it."""
        zone = timezone(timedelta(minutes=self.zone))
        local = datetime.fromtimestamp(wall + self.clock, zone)
        return local.strftime("%Y-%m-%dT%H:%M:%S") + self.offset


def reboot_seconds(bmc: Bmc) -> float:
    return REBOOT * bmc.fleet.spec.boot_scale


def reboot(bmc: Bmc, now: float, detail: str) -> None:
    """The BMC restarts, soon: it is out of reach for a while, and its sessions are over."""

    def go_down(at: float) -> None:
        bmc.down_until = at + reboot_seconds(bmc)
        bmc.drivers.forget("sessions")
        bmc.fleet.note(bmc.name, at, "bmc-reset", detail)

    # A client has the time to log out, as with real ones.
    bmc.fleet.later(bmc, now + GRACE * bmc.fleet.spec.boot_scale, go_down)


def _minutes(value: Any) -> int:
    name = "DateTimeLocalOffset"
    text = base.text(value, name, 6, 6)
    try:
        given = datetime.strptime(text, "%z").utcoffset()
    except ValueError:
        given = None
    minutes = None if given is None else round(given.total_seconds() / 60)
    if minutes is None or abs(minutes) > MAX_OFFSET:
        raise refuse(400, "PropertyValueFormatError", text, name, related=name)
    return minutes


def _set_clock(state: ManagerState) -> base.Setter:
    wall = base.call().wall

    def check(value: Any) -> float:
        text = base.text(value, "DateTime", 40)
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                raise ValueError(text)
            return moment.timestamp() - wall
        except (ValueError, OverflowError):
            raise refuse(
                400, "PropertyValueFormatError", text, "DateTime", related="DateTime"
            ) from None

    return base.setter(check, lambda ahead: setattr(state, "clock", ahead))


def _network(path: str) -> dict[str, Any]:
    bmc = base.call().bmc
    state: ManagerState = base.state("manager_state")
    tls = bmc.fleet.spec.tls
    defaults = {"HTTP": not tls, "HTTPS": tls, "IPMI": False, "SSH": False, "NTP": False}
    ports = {"HTTP": 80, "HTTPS": 443, "IPMI": 623, "SSH": 22, "NTP": 123}
    protocols: dict[str, Any] = {
        name: {"ProtocolEnabled": state.protocols.get(name, on), "Port": ports[name]}
        for name, on in defaults.items()
    }
    protocols["NTP"]["NTPServers"] = list(state.ntp_servers)
    return base.resource(
        f"{path}/NetworkProtocol",
        "ManagerNetworkProtocol.v1_10_0",
        "NetworkProtocol",
        "Manager Network Protocol",
        HostName=state.host_name,
        FQDN=state.host_name,
        Status=base.OK,
        **protocols,
    )


def _protocol(name: str) -> base.Setter:
    """IPMI, SSH and NTP can be switched; what carries Redfish cannot."""

    def prepare(value: Any) -> Any:
        if not isinstance(value, dict):
            raise refuse(400, "PropertyValueTypeError", value, name, related=name)
        writable = {"ProtocolEnabled", "NTPServers"} if name == "NTP" else {"ProtocolEnabled"}
        unknown = set(value) - writable
        if unknown or not value:
            where = f"{name}/{min(unknown, default='')}"
            raise refuse(400, "PropertyNotWritable", where, related=where)
        state: ManagerState = base.state("manager_state")
        on, servers = None, state.ntp_servers
        if "ProtocolEnabled" in value:
            on = base.flag(value["ProtocolEnabled"], f"{name}/ProtocolEnabled")
        if "NTPServers" in value:
            servers = _array(value["NTPServers"], state.ntp_servers, "NTP/NTPServers")

        def store() -> None:
            if on is not None:
                state.protocols[name] = on
            state.ntp_servers = servers

        return store

    return prepare


def _array(value: Any, old: list[str], name: str) -> list[str]:
    """An array after a PATCH (DSP0266): null takes an element out, {} leaves it as it was."""
    if not isinstance(value, list) or len(value) > MAX_SERVERS:
        raise refuse(400, "PropertyValueTypeError", value, name, related=name)
    found = []
    for index, item in enumerate(value):
        if item == {}:
            found += old[index : index + 1]
        elif item is not None:
            found.append(base.text(item, name, 255, 1))
    return found


def register(app: flask.Flask) -> None:
    rule = f"{MANAGERS}/<identity>"
    rendered = base.plain(app.view_functions["manager_resource"])

    def manager(identity: str) -> Any:
        if flask.request.method != "PATCH":
            return rendered(identity=identity)
        base.only_manager(identity)
        state: ManagerState = base.state("manager_state")
        zone = base.setter(_minutes, lambda minutes: setattr(state, "zone", minutes))
        setters = {"DateTime": _set_clock(state), "DateTimeLocalOffset": zone}
        return base.patch(base.call().shown, setters, echo=False)

    app.view_functions["manager_resource"] = base.responding(manager)

    @base.route(app, f"{rule}/Actions/{RESET}", "POST")
    def reset_manager(identity: str) -> Any:
        base.only_manager(identity)
        kind = base.given().get("ResetType", "ForceRestart")
        if kind not in RESET_TYPES:
            key = "ActionParameterValueNotInList"
            raise refuse(400, key, kind, "ResetType", RESET, related="ResetType")
        running = base.call()
        reboot(running.bmc, running.now, str(kind))
        return None

    @base.route(app, f"{rule}/NetworkProtocol", "GET", "PATCH")
    def network_protocol(identity: str) -> Any:
        base.only_manager(identity)
        path = f"{MANAGERS}/{identity}"
        if flask.request.method == "GET":
            return _network(path)
        state: ManagerState = base.state("manager_state")
        setters = {name: _protocol(name) for name in ("IPMI", "SSH", "NTP")}
        setters["HostName"] = base.setter(
            lambda value: base.text(value, "HostName", 64, 1),
            lambda value: setattr(state, "host_name", value),
        )
        return base.patch(lambda: _network(path), setters)

    @base.route(app, f"{rule}/EthernetInterfaces")
    def manager_interfaces(identity: str) -> Any:
        base.only_manager(identity)
        path = f"{MANAGERS}/{identity}/EthernetInterfaces"
        return base.collection(path, "EthernetInterface", "Interfaces", [f"{path}/{NIC}"])

    @base.route(app, f"{rule}/EthernetInterfaces/{NIC}", "GET")
    def manager_interface(identity: str) -> Any:
        base.only_manager(identity)
        bmc = base.call().bmc
        state: ManagerState = base.state("manager_state")
        mac = bmc.mac[:-1] + ("0" if bmc.mac[-1] != "0" else "1")
        address = {
            "Address": bmc.spec.address,
            "SubnetMask": "255.0.0.0",
            "AddressOrigin": "DHCP",
            "Gateway": "127.0.0.1",
        }
        return base.resource(
            f"{MANAGERS}/{identity}/EthernetInterfaces/{NIC}",
            "EthernetInterface.v1_9_0",
            NIC,
            "Manager Ethernet Interface",
            InterfaceEnabled=True,
            LinkStatus="LinkUp",
            MACAddress=mac,
            PermanentMACAddress=mac,
            SpeedMbps=1000,
            FullDuplex=True,
            HostName=state.host_name,
            FQDN=state.host_name,
            DHCPv4={"DHCPEnabled": True},
            IPv4Addresses=[address],
            NameServers=[],
            StaticNameServers=[],
            IPv4StaticAddresses=[],
            IPv6Addresses=[],
            IPv6StaticAddresses=[],
            IPv6DefaultGateway=None,
            IPv6StaticDefaultGateways=[],
            Status=base.OK,
        )
