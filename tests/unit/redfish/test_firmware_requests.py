"""What is sent to the firmware, and what is read from it."""

from __future__ import annotations

import pytest

from beskar7.redfish import firmware
from beskar7.redfish.port import BiosAttribute, BmcRequestRefused, BootOverride

pytestmark = pytest.mark.unit

TARGET = "BootSourceOverrideTarget@Redfish.AllowableValues"


def test_a_loader_with_arguments():
    override = BootOverride("UefiTarget", path=r"\EFI\BOOT\BOOTX64.EFI a=b", mode="UEFI")
    system = {"Boot": {TARGET: ["Cd", "UefiTarget"], "BootSourceOverrideMode": "Legacy"}}
    assert firmware.boot_patch(system, override) == {
        "BootSourceOverrideTarget": "UefiTarget",
        "BootSourceOverrideEnabled": "Once",
        "UefiTargetBootSourceOverride": r"\EFI\BOOT\BOOTX64.EFI a=b",
        "BootSourceOverrideMode": "UEFI",
    }


@pytest.mark.parametrize("held", [None, "UEFI"])
def test_the_mode_is_sent_only_where_it_is_offered_and_differs(held):
    system = {"Boot": {"BootSourceOverrideMode": held}}
    patch = firmware.boot_patch(system, BootOverride("UefiBootNext", option="B1", mode="UEFI"))
    assert "BootSourceOverrideMode" not in patch
    assert patch["BootNext"] == "B1"


def test_a_target_that_is_not_offered_is_refused_by_name():
    with pytest.raises(BmcRequestRefused, match="UefiTarget, only from Cd, Pxe"):
        firmware.boot_patch({"Boot": {TARGET: ["Cd", "Pxe"]}}, BootOverride("UefiTarget", path="x"))


BIOS = {
    "/bios": {
        "Attributes": {"KernelArgs": "old"},
        "@Redfish.Settings": {
            "SettingsObject": {"@odata.id": "/bios/future"},
            "SupportedApplyTimes": ["OnReset"],
        },
    },
    "/bios/future": {"Attributes": {"KernelArgs": "new"}},
}
SYSTEM = {"Bios": {"@odata.id": "/bios"}}


@pytest.mark.upstream("U11")
def test_apply_on_reset_goes_with_the_attribute_and_never_alone():
    path, patch = firmware.bios_patch(SYSTEM, BIOS.__getitem__, "KernelArgs", "a=b")
    assert path == "/bios/future"
    assert patch["Attributes"] == {"KernelArgs": "a=b"}
    assert patch["@Redfish.SettingsApplyTime"]["ApplyTime"] == "OnReset"


def test_a_setting_now_and_after_the_reset():
    found = firmware.bios_attribute(SYSTEM, BIOS.__getitem__, "KernelArgs")
    assert found == BiosAttribute("old", "new")
    assert firmware.bios_attribute(SYSTEM, BIOS.__getitem__, "Other") is None
    assert firmware.bios_attribute({}, BIOS.__getitem__, "KernelArgs") is None


def test_without_a_settings_object_nothing_is_set():
    with pytest.raises(BmcRequestRefused, match="settings object"):
        firmware.bios_patch(
            SYSTEM, {"/bios": {"Attributes": {"KernelArgs": ""}}}.__getitem__, "KernelArgs", "x"
        )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([{"Alias": "Hdd"}, {"Alias": "Cd", "BootOptionReference": "B2"}], "B2"),
        ([{"DisplayName": "Virtual CDROM", "BootOptionReference": "B1"}], "B1"),
        ([{"Alias": "Hdd", "DisplayName": "virtual disk", "BootOptionReference": "B1"}], ""),
        ([], ""),
    ],
)
def test_the_boot_option_of_the_virtual_cd(options, expected):
    tree = {f"/o/{n}": option for n, option in enumerate(options)}
    tree["/o"] = {"Members": [{"@odata.id": path} for path in tree]}
    system = {"Boot": {"BootOptions": {"@odata.id": "/o"}}}
    assert firmware.cd_boot_option(system, tree.__getitem__) == expected
