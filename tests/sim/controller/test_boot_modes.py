"""What each vendor's machine truly booted, by mode and mechanism."""

from __future__ import annotations

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST
from beskar7.api.resources import BOOT_MECHANISM_ANNOTATION, KERNEL_ARG_ATTRIBUTE_ANNOTATION

pytestmark = pytest.mark.sim

IMAGE = "http://images.lab/os.iso"
CONFIG = "http://config.lab/node.yaml"
VENDORS = ("dell", "hpe", "lenovo", "supermicro", "generic")
MODES = {
    "RemoteConfig": f"Cd:{IMAGE} -- config_url={CONFIG}",
    "PreBakedISO": f"Cd:{IMAGE}",
    "PXE": "Pxe:",
    "iPXE": "Pxe:",
}


def wish(mode: str, **more: str) -> dict[str, str]:
    config = {"configURL": CONFIG} if mode == "RemoteConfig" else {}
    return {"imageURL": IMAGE, "osFamily": "kairos", "provisioningMode": mode} | config | more


def booted(driver, machine: str) -> str:
    return driver.world.fleet.state()[driver.host_of(machine)["metadata"]["name"]]["booted"]


def all_provisioned(driver) -> bool:
    return set(driver.phases()) == {"Provisioned"}


@pytest.mark.upstream("U10")
@pytest.mark.upstream("U11")
@pytest.mark.parametrize("vendor", VENDORS)
def test_each_mode_boots_what_was_asked_and_leaves_nothing_behind(in_world, vendor):
    def body(driver) -> None:
        for mode in MODES:
            driver.add_machine(mode.lower(), **wish(mode))
        driver.until(lambda: all_provisioned(driver), "provisioned")
        assert {mode: booted(driver, mode.lower()) for mode in MODES} == MODES
        hosts = {mode: driver.host_of(mode.lower())["metadata"]["name"] for mode in MODES}
        inserted = {
            event.host for event in driver.world.bmc_log(0, 0)[1] if event.type == "media-inserted"
        }
        assert inserted == {hosts["RemoteConfig"], hosts["PreBakedISO"]}, "U12"
        for mode in MODES:
            driver.kube.delete(BESKAR7_MACHINE, "default", mode.lower())
        driver.until(lambda: set(driver.states()) == {"Available"}, "released")
        for host in driver.hosts().values():
            assert not {"consumerRef", "bootIsoSource", "boot"} & set(host["spec"])
            assert "boot" not in host["status"]
        for number in range(4):
            driver.add_machine(f"next-{number}", **wish("PreBakedISO"))
        driver.until(lambda: all_provisioned(driver), "provisioned again")
        found = {booted(driver, f"next-{number}") for number in range(4)}
        assert found == {f"Cd:{IMAGE}"}, "no kernel parameter of a former owner"

    in_world(body, vendors=f"{{{vendor}: 1}}")


@pytest.mark.upstream("U12")
@pytest.mark.parametrize("mode", ["PXE", "iPXE"])
def test_a_network_boot_asks_for_no_iso(in_world, mode):
    def body(driver) -> None:
        driver.add_machine("net", **wish(mode))
        driver.until(lambda: all_provisioned(driver), "provisioned")
        host = driver.host_of("net")
        assert "bootIsoSource" not in host["spec"]
        assert host["spec"]["boot"]["mode"] == mode
        actions = {record.action for record in driver.world.bmc_log(0, 0)[0] if record.action}
        assert not any("media" in action for action in actions), actions

    in_world(body, hosts=1)


@pytest.mark.parametrize(
    ("family", "parameter"),
    [
        ("kairos", "config_url"),
        ("flatcar", "flatcar.ignition.config.url"),
        ("LeapMicro", "combustion.path"),
    ],
)
@pytest.mark.parametrize("vendor", ["dell", "hpe"])
def test_each_operating_system_gets_its_own_parameter(in_world, vendor, family, parameter):
    def body(driver) -> None:
        driver.add_machine("m", **wish("RemoteConfig", osFamily=family))
        driver.until(lambda: all_provisioned(driver), "provisioned")
        assert booted(driver, "m") == f"Cd:{IMAGE} -- {parameter}={CONFIG}"

    in_world(body, hosts=1, vendors=f"{{{vendor}: 1}}")


def test_legacy_boots_in_legacy_mode_and_the_next_owner_in_uefi(in_world):
    def body(driver) -> None:
        driver.add_machine("old", **wish("RemoteConfig", bootMode="Legacy"))
        driver.until(lambda: all_provisioned(driver), "provisioned")
        assert booted(driver, "old") == f"Cd:{IMAGE} mode=Legacy -- config_url={CONFIG}"
        driver.kube.delete(BESKAR7_MACHINE, "default", "old")
        driver.until(lambda: driver.states() == ["Available"], "released")
        driver.add_machine("new", **wish("PreBakedISO"))
        driver.until(lambda: all_provisioned(driver), "provisioned")
        assert booted(driver, "new") == f"Cd:{IMAGE}"

    in_world(body, hosts=1)


@pytest.mark.upstream("U33")
@pytest.mark.parametrize("admission", [True, False], ids=["admitted", "without webhooks"])
def test_an_image_and_its_operating_system_are_all_that_a_machine_needs(in_world, admission):
    def body(driver) -> None:
        if not admission:
            driver.without_admission()
        spec = {"imageURL": "http://example.com/test.iso", "osFamily": "kairos"}
        minimal = {
            "apiVersion": BESKAR7_MACHINE.api_version,
            "kind": BESKAR7_MACHINE.kind,
            "metadata": {"name": "m", "namespace": "default"},
            "spec": spec,
        }
        driver.kube.create(BESKAR7_MACHINE, minimal)
        driver.until(lambda: all_provisioned(driver), "provisioned")
        assert booted(driver, "m") == f"Cd:{spec['imageURL']}"

    in_world(body, hosts=1)


def annotate(driver, **annotations: str | None) -> None:
    names = {"mechanism": BOOT_MECHANISM_ANNOTATION, "attribute": KERNEL_ARG_ATTRIBUTE_ANNOTATION}
    patch = {"metadata": {"annotations": {names[key]: v for key, v in annotations.items()}}}
    driver.kube.patch(PHYSICAL_HOST, "default", "host-001", patch)
    driver.runtime.sleep(1)


def bios_patches(driver) -> list[str]:
    records = driver.world.bmc_log(0, 0)[0]
    return [r.path for r in records if r.method == "PATCH" and "BIOS" in r.path]


@pytest.mark.upstream("U23")
def test_an_annotation_changes_the_vendors_mechanism(in_world):
    def body(driver) -> None:
        annotate(driver, mechanism="uefi-target")
        driver.add_machine("m", **wish("RemoteConfig"))
        driver.until(lambda: all_provisioned(driver), "provisioned")
        assert booted(driver, "m") == f"Cd:{IMAGE} -- config_url={CONFIG}"
        assert bios_patches(driver) == [], "Dell's own way is the BIOS attribute"

    in_world(body, hosts=1)


@pytest.mark.upstream("U23")
def test_an_annotation_names_the_bios_attribute(in_world):
    def body(driver) -> None:
        annotate(driver, attribute="BootArgs")
        driver.add_machine("m", **wish("RemoteConfig"))
        driver.until(lambda: all_provisioned(driver), "provisioned")
        boot = driver.host_of("m")["status"]["boot"]
        assert (boot["mechanism"], boot["biosAttribute"]) == ("bios-attribute", "BootArgs")
        # A Dell knows no BootArgs: the parameters reach the kernel all the same.
        assert booted(driver, "m") == f"Cd:{IMAGE} -- config_url={CONFIG}"
        assert bios_patches(driver) == []

    in_world(body, hosts=1)


@pytest.mark.upstream("U23")
def test_boot_options_boot_the_virtual_cd_by_its_number(in_world):
    def body(driver) -> None:
        annotate(driver, mechanism="boot-options")
        driver.add_machine("m", **wish("PreBakedISO"))
        driver.until(lambda: all_provisioned(driver), "provisioned")
        assert booted(driver, "m") == f"Cd:{IMAGE}"
        read = [r.path for r in driver.world.bmc_log(0, 0)[0] if "BootOptions/" in r.path]
        assert read, "found by asking the firmware"

    in_world(body, hosts=1)


def test_a_wish_that_the_host_cannot_fulfil_is_told_and_fulfilled_once_it_can(in_world):
    def body(driver) -> None:
        annotate(driver, mechanism="unsupported")
        driver.add_machine("m", **wish("RemoteConfig"))
        driver.until(lambda: driver.states() == ["Claimed"], "claimed")
        driver.runtime.sleep(3600)
        host = driver.host_of("m")
        assert BOOT_MECHANISM_ANNOTATION in host["status"]["errorMessage"]
        condition = driver.condition(host, "HostProvisioned")
        assert (condition["status"], condition["reason"]) == ("False", "BootParametersUnsupported")
        assert len(driver.events("BootParametersUnsupported")) == 1
        machine = driver.machines()["m"]
        assert BOOT_MECHANISM_ANNOTATION in driver.condition(machine, "Ready")["message"]
        annotate(driver, mechanism=None)
        driver.until(lambda: all_provisioned(driver), "provisioned", limit=60)
        assert "errorMessage" not in driver.host_of("m")["status"]

    in_world(body, hosts=1)


def test_configuration_without_a_url_fails_until_it_is_given(in_world):
    def body(driver) -> None:
        driver.without_admission()
        driver.add_machine("m", imageURL=IMAGE, provisioningMode="RemoteConfig")
        driver.until(lambda: driver.phases() == ["Failed"], "failed")
        status = driver.machines()["m"]["status"]
        assert status["failureReason"] == "InvalidConfiguration"
        assert "spec.configURL" in status["failureMessage"]
        assert driver.states() == ["Available"], "no host was taken for it"
        driver.kube.patch(BESKAR7_MACHINE, "default", "m", {"spec": {"configURL": CONFIG}})
        driver.until(lambda: all_provisioned(driver), "provisioned")
        assert "failureReason" not in driver.machines()["m"]["status"]

    in_world(body, hosts=1)
