"""Inventory from whatever a BMC may show."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beskar7.redfish.hardware import MOST_NICS, address_type, inventory
from beskar7.redfish.port import HostAddress, Nic

pytestmark = pytest.mark.unit


def collection(path: str, members: list[dict[str, Any]]) -> dict[str, Any]:
    tree = {f"{path}/{n}": body for n, body in enumerate(members)}
    return {path: {"Members": [{"@odata.id": name} for name in tree]}} | tree


def read_from(tree: dict[str, Any]):
    return lambda path: tree[path]


def test_nics_with_ipv4_and_ipv6_addresses_of_both_classes():
    tree = collection(
        "/nics",
        [
            {
                "Id": "NIC1",
                "MACAddress": "02:00:00:00:00:01",
                "IPv4Addresses": [{"Address": "10.1.2.3"}, {"Address": "0.0.0.0"}, {}],
                "IPv6Addresses": [{"Address": "2001:0DB8::0001"}, {"Address": "fe80::1%eth0"}],
            },
            {"Id": "NIC2", "PermanentMACAddress": "02:00:00:00:00:02", "IPv4Addresses": None},
            {"Id": "NIC3", "IPv4Addresses": [{"Address": "198.51.100.7"}, {"Address": "n/a"}]},
        ],
    )
    found = inventory({"EthernetInterfaces": {"@odata.id": "/nics"}}, read_from(tree))
    assert found.nics == (
        Nic("NIC1", "02:00:00:00:00:01", ("10.1.2.3", "2001:db8::1", "fe80::1")),
        Nic("NIC2", "02:00:00:00:00:02"),
        Nic("NIC3", "", ("198.51.100.7",)),
    )
    assert found.addresses == (
        HostAddress("InternalIP", "10.1.2.3"),
        HostAddress("ExternalIP", "2001:db8::1"),
        HostAddress("InternalIP", "fe80::1"),
        HostAddress("ExternalIP", "198.51.100.7"),
    )


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        *((a, "InternalIP") for a in ("10.0.0.1", "172.31.0.1", "192.168.9.9", "169.254.1.1")),
        *((a, "InternalIP") for a in ("127.0.0.1", "::1", "fd00::1", "fe80::1")),
        *((a, "ExternalIP") for a in ("172.32.0.1", "11.0.0.1", "2001:db8::1", "8.8.8.8")),
    ],
)
def test_internal_and_external(address, expected):
    assert address_type(address) == expected


@given(st.ip_addresses())
def test_every_address_has_a_class_and_private_ones_are_internal(address):
    found = address_type(str(address))
    assert found in ("InternalIP", "ExternalIP")
    if isinstance(address, ipaddress.IPv4Address) and address.packed[0] == 10:
        assert found == "InternalIP"


def test_the_summary_is_believed_and_sockets_are_not_cores():
    system = {
        "ProcessorSummary": {"Count": 2, "CoreCount": 64},
        "MemorySummary": {"TotalSystemMemoryGiB": 512},
    }
    found = inventory(system, read_from({}))
    assert (found.cpu_cores, found.memory_gib) == (64, 512)


def test_without_a_summary_processors_and_modules_are_counted():
    tree = collection(
        "/cpus",
        [
            {"ProcessorType": "CPU", "TotalCores": 24},
            {"TotalCores": 24},
            {"ProcessorType": "GPU", "TotalCores": 10_000},
            {"ProcessorType": "CPU", "TotalCores": 24, "Status": {"State": "Absent"}},
        ],
    ) | collection(
        "/dimms",
        [{"CapacityMiB": 32768}, {"CapacityMiB": 32768, "Status": {"State": "Enabled"}}, {}],
    )
    system = {
        "ProcessorSummary": {"Count": 2},
        "MemorySummary": {"TotalSystemMemoryGiB": None},
        "Processors": {"@odata.id": "/cpus"},
        "Memory": {"@odata.id": "/dimms"},
    }
    found = inventory(system, read_from(tree))
    assert (found.cpu_cores, found.memory_gib) == (48, 64)


def test_what_comes_from_outside_is_bounded():
    tree = collection("/nics", [{"Id": "x" * 10_000}] * 500)
    found = inventory(
        {"EthernetInterfaces": {"@odata.id": "/nics"}, "Model": "m" * 10_000}, read_from(tree)
    )
    assert len(found.nics) == MOST_NICS
    assert len(found.model) == len(found.nics[0].name) == 256


def test_a_bmc_that_says_nothing_gives_empty_words():
    found = inventory({}, read_from({}))
    assert (found.manufacturer, found.cpu_cores, found.nics, found.power) == ("", 0, (), "")
