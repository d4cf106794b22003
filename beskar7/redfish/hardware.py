"""The inventory of a system. All of it comes from outside, so all of it is bounded."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

from beskar7.redfish.port import HostAddress, Inventory, Nic

Read = Callable[[str], Any]

MOST_NICS = 64
MOST_ADDRESSES = 32
"""Of one interface."""
MOST_PARTS = 256
"""Processors, and memory modules, that are read where no summary tells."""
LONGEST = 256
"""Characters of a name."""
LINK_LOCAL_AND_PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16"),
        *("fc00::/7", "fe80::/10", "::1/128"),
    )
)
"""What counts as internal (facts section 5); all else is external."""


def inventory(system: Any, read: Read) -> Inventory:
    """``system`` is the ComputerSystem's body; ``read`` fetches a Redfish path."""
    nics = tuple(_nics(system, read))
    found = dict.fromkeys(address for nic in nics for address in nic.addresses)
    status = system.get("Status") or {}
    return Inventory(
        manufacturer=_text(system.get("Manufacturer")),
        model=_text(system.get("Model")),
        serial_number=_text(system.get("SerialNumber")),
        cpu_cores=_cores(system, read),
        memory_gib=_memory(system, read),
        health=_text(status.get("Health")),
        health_rollup=_text(status.get("HealthRollup")),
        state=_text(status.get("State")),
        power=_text(system.get("PowerState")),
        addresses=tuple(HostAddress(address_type(address), address) for address in found),
        nics=nics,
    )


def address_type(address: str) -> str:
    """InternalIP or ExternalIP. Raises ValueError for what is no IP address."""
    parsed = ipaddress.ip_address(address)
    internal = any(
        parsed in network for network in LINK_LOCAL_AND_PRIVATE if network.version == parsed.version
    )
    return "InternalIP" if internal else "ExternalIP"


def _nics(system: Any, read: Read) -> Iterable[Nic]:
    for body in _members(system, "EthernetInterfaces", read, MOST_NICS):
        entries = [
            entry.get("Address")
            for family in ("IPv4Addresses", "IPv6Addresses")
            for entry in (body.get(family) or ())
        ]
        yield Nic(
            _text(body.get("Id")),
            _text(body.get("MACAddress") or body.get("PermanentMACAddress")),
            tuple(dict.fromkeys(filter(None, map(_address, entries))))[:MOST_ADDRESSES],
        )


def _address(value: Any) -> str:
    """The address in its one spelling; empty for none, for nonsense and for "not set"."""
    try:
        parsed = ipaddress.ip_address(str(value).partition("%")[0])
    except ValueError:
        return ""
    return "" if parsed.is_unspecified else str(parsed)


def _cores(system: Any, read: Read) -> int:
    """Cores of all processors. ``Count`` of the summary counts sockets, so it says nothing."""
    told = _count((system.get("ProcessorSummary") or {}).get("CoreCount"))
    if told:
        return told
    parts = _members(system, "Processors", read, MOST_PARTS)
    return sum(
        _count(part.get("TotalCores"))
        for part in parts
        if part.get("ProcessorType") in (None, "CPU") and _present(part)
    )


def _memory(system: Any, read: Read) -> int:
    """GiB, whole."""
    told = _count((system.get("MemorySummary") or {}).get("TotalSystemMemoryGiB"))
    if told:
        return told
    parts = _members(system, "Memory", read, MOST_PARTS)
    return sum(_count(part.get("CapacityMiB")) for part in parts if _present(part)) // 1024


def _present(part: Any) -> bool:
    return (part.get("Status") or {}).get("State") != "Absent"


def _members(system: Any, name: str, read: Read, most: int) -> Iterable[Any]:
    link = (system.get(name) or {}).get("@odata.id")
    paths = sorted(member["@odata.id"] for member in read(link)["Members"]) if link else []
    return (read(path) for path in paths[:most])


def _text(value: Any) -> str:
    return str(value or "")[:LONGEST].strip()


def _count(value: Any) -> int:
    """A count of at most a million; 0 for what is none."""
    return min(int(value), 1_000_000) if isinstance(value, int | float) and value > 0 else 0
