"""Kernel arguments and firmware mode: how they get to a boot, and how it is written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.bmc.boot import OPTIONS, Booted, uefi_target

if TYPE_CHECKING:
    from conftest import Client

    from beskar7.runtime import VirtualRuntime

pytestmark = pytest.mark.unit

IMAGE = "http://images/a.iso"
LOADER = r"\EFI\BOOT\BOOTX64.EFI"
CD = OPTIONS["Boot0003"].device_path
LONG = 500.0

url = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)


@given(
    st.builds(
        Booted,
        st.sampled_from(["Cd", "Pxe", "Hdd"]),
        url,
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40),
        st.sampled_from(["UEFI", "Legacy"]),
    )
)
def test_what_is_written_down_can_be_read(booted):
    assert Booted.parse(str(booted)) == booted


@pytest.mark.parametrize(
    ("text", "source", "arguments"),
    [
        (CD, "Cd", ""),
        (f"{CD}/{LOADER} a=b c", "Cd", "a=b c"),
        (f"{LOADER} a=b", "Cd", "a=b"),
        (LOADER.lower(), "Cd", ""),
        (OPTIONS["Boot0001"].device_path, "Hdd", ""),
    ],
)
def test_a_uefi_target_names_a_device_and_arguments(text, source, arguments):
    option, found = uefi_target(text)
    assert (option.source if option else "", found) == (source, arguments)


@pytest.mark.parametrize("text", ["", "nowhere", r"\EFI\other.efi a=b", f"nowhere/{LOADER}"])
def test_what_names_no_device_is_none(text):
    assert uefi_target(text)[0] is None


def boots(client: Client, virtual: VirtualRuntime, *steps: Any) -> list[str]:
    """What was booted, after each of ``steps`` and a restart."""

    def main() -> None:
        client.insert(IMAGE)
        for step in steps:
            step()
            client.reset("ForceRestart")
            virtual.sleep(LONG)

    virtual.run(main)
    return [event.detail for event in client.events() if event.type == "boot-finished"]


def loader_once(client: Client) -> None:
    assert (
        client.boot(
            BootSourceOverrideTarget="UefiTarget",
            BootSourceOverrideEnabled="Once",
            UefiTargetBootSourceOverride=f"{LOADER} a=b",
        )
        == 204
    )


def test_arguments_of_the_loader_hold_for_one_boot(client, virtual):
    found = boots(client, virtual, lambda: loader_once(client), lambda: None)
    assert found == [f"Cd:{IMAGE} -- a=b", "Hdd:"]


def test_without_media_the_loader_is_not_there(client, virtual):
    def eject() -> None:
        loader_once(client)
        client.eject()

    assert boots(client, virtual, eject) == ["Hdd:"]


def test_a_legacy_boot_follows_no_uefi_target_and_says_so(client, virtual):
    def legacy() -> None:
        loader_once(client)
        assert client.boot(BootSourceOverrideMode="Legacy") == 204

    assert boots(client, virtual, legacy) == ["Hdd: mode=Legacy"]


def set_arguments(client: Client, value: str) -> None:
    path = f"{client.system}/BIOS/Settings"
    assert client.call("PATCH", path, {"Attributes": {"KernelArgs": value}}).status == 200


def test_a_bios_attribute_holds_from_the_next_boot_until_it_is_changed(client, virtual):
    found = boots(
        client,
        virtual,
        lambda: set_arguments(client, "a=b"),
        lambda: client.boot(BootSourceOverrideTarget="Cd", BootSourceOverrideEnabled="Once"),
        lambda: set_arguments(client, ""),
    )
    assert found == ["Hdd: -- a=b", f"Cd:{IMAGE} -- a=b", "Hdd:"]


def test_only_vendors_that_have_the_attribute_take_it(fleet, client):
    hpe = type(client)(fleet, "host-002")
    path = f"{hpe.system}/BIOS/Settings"
    assert hpe.call("PATCH", path, {"Attributes": {"KernelArgs": "a=b"}}).status == 400
    assert "KernelArgs" not in hpe.get(f"{hpe.system}/BIOS")["Attributes"]
