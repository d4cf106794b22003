"""Redfish clients and validators that we did not write, run against a service.

Used by the interop tests, and by redfish_support.py for the table in docs/redfish-support.md.
A password in a command line is against the house's rules; of these programs most take it in no
other way. It is one of a BMC that lives as long as the test.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

PACKAGES = (
    "redfish",
    "redfish_protocol_validator",
    "redfish_service_validator",
    "redfish_use_case_checkers",
    "redfish_utilities",
    "redfishtool",
)
TIMEOUT = 280.0
"""Seconds for one suite; the longest takes a minute."""
SCRIPTS = Path(sys.executable).parent


@dataclass(frozen=True)
class Service:
    """Where a service is, and who may use it. ``system`` is the path of its system.

    ``drive``: the identity of its virtual CD, which a command calls DRIVE.
    """

    url: str
    username: str
    password: str
    system: str = ""
    drive: str = "Cd"


@dataclass
class Counts:
    """What a suite counted. ``ran`` is False where it gave up; ``said`` is what it failed on."""

    passed: int = 0
    warned: int = 0
    failed: int = 0
    untested: int = 0
    ran: bool = False
    said: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        if not self.ran:
            return "gives up: " + (self.said[-1] if self.said else "no summary")
        text = f"{self.passed} pass, {self.failed} fail"
        if self.warned:
            text += f", {self.warned} warn"
        return f"{text}, {self.untested} not tested"


def missing() -> list[str]:
    """The packages of the extra ``interop`` that are not installed."""
    absent = []
    for package in PACKAGES:
        try:
            version(package)
        except PackageNotFoundError:
            absent.append(package)
    return absent


def environment() -> dict[str, str]:
    """Ours, without what would undo the programs' own certificate options."""
    unwanted = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "http_proxy", "https_proxy")
    return {k: v for k, v in os.environ.items() if k not in unwanted and k.lower() not in unwanted}


def run(directory: Path, *command: str, timeout: float = TIMEOUT) -> tuple[int, str]:
    """Exit code and output; 124 where the time was up."""
    try:
        done = subprocess.run(
            [str(SCRIPTS / command[0]), *command[1:]],
            cwd=directory,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        return 124, f"not done after {timeout:.0f} s"
    return done.returncode, done.stdout


def _login(service: Service) -> list[str]:
    return ["-u", service.username, "-p", service.password, "-r", service.url]


def protocol_validator(service: Service, directory: Path) -> Counts:
    _, output = run(
        directory,
        *("rf_protocol_validator", *_login(service), "--no-cert-check", "--avoid-http-redirect"),
        *("--report-dir", str(directory), "--report-type", "tsv"),
    )
    found = re.search(r"PASS: (\d+), WARN: (\d+), FAIL: (\d+), NOT_TESTED: (\d+)", output)
    if found is None:
        return Counts(said=output.strip().splitlines()[-1:])
    passed, warned, failed, untested = map(int, found.groups())
    said = [
        line
        for report in directory.glob("*.tsv")
        for line in report.read_text().splitlines()
        if "\tFAIL\t" in line
    ]
    return Counts(passed, warned, failed, untested, True, said)


def _table(output: str) -> Counts:
    """The summary that the other two suites print."""
    found = re.search(r"\|\s+(\d+)\s+\|\s+(\d+)\s+\|\s+(\d+)\s+\|\s+(\d+)\s+\|", output)
    if found is None:
        return Counts(said=output.strip().splitlines()[-1:])
    passed, warned, failed, untested = map(int, found.groups())
    return Counts(passed, warned, failed, untested, True)


def use_case_checkers(service: Service, directory: Path) -> Counts:
    _, output = run(
        directory, "rf_use_case_checkers", *_login(service), "--report-dir", str(directory)
    )
    counts = _table(output)
    for log in directory.rglob("*Debug*.log"):
        counts.said += [line for line in log.read_text().splitlines() if " - ERROR - " in line]
    return counts


def service_validator(service: Service, directory: Path) -> Counts:
    """Without schema files (they are downloads): it can only walk all links."""
    schemas = directory / "schemas"
    schemas.mkdir(exist_ok=True)
    _, output = run(
        directory,
        *("rf_service_validator", *_login(service), "--logdir", str(directory)),
        *("--skipschema", "--schema_directory", str(schemas)),
    )
    counts = _table(output)
    counts.said += [line for line in output.splitlines() if "Could not" in line]
    return counts


REDFISHTOOL = (
    *("root", "odata", "metadata", "versions", "raw GET /redfish/v1/"),
    *("Systems", "Systems list", "Systems -F get", "Systems -F reset On"),
    *("Systems -F setBootOverride Once Pxe", "Systems -F setBootOverride Disabled None"),
    *("Systems -F setAssetTag x", "Systems -F setIndicatorLed Blinking", "Systems -F Processors"),
    *("Systems -F SimpleStorage", "Systems -F EthernetInterfaces", "Systems -F Logs"),
    *("Chassis", "Chassis -F get", "Chassis -F Power", "Chassis -F Thermal"),
    *("Chassis -F setIndicatorLed Lit", "Chassis -F getPowerReading"),
    *("Managers", "Managers -F get", "Managers -F NetworkProtocol", "Managers -F Logs"),
    *("Managers -F EthernetInterfaces", "Managers -F setDateTime 2031-01-01T00:00:00+00:00"),
    *("AccountService", "AccountService Accounts", "AccountService Roles"),
    *("AccountService adduser joe Long-enough1 Operator",),
    *("AccountService setpassword joe Long-enough2", "AccountService useradmin joe disable"),
    *("AccountService deleteuser joe", "SessionService", "SessionService Sessions"),
    *("SessionService setSessionTimeout 60", "SessionService login", "-A Session Systems"),
    "Managers -F reset ForceRestart",
)
# Of the BIOS: the BMC's own ends in a reboot, which at a fleet's speed is over between two looks.
RF_UPDATE = (
    "rf_update --image http://127.0.0.1/x-9.1.bin "
    "--target /redfish/v1/UpdateService/FirmwareInventory/BIOS"
)
UTILITIES = (
    *("rf_power_reset --info", "rf_power_reset --type On", "rf_boot_override --info"),
    *("rf_boot_override --target Pxe", "rf_boot_override --target None"),
    *("rf_virtual_media info", "rf_virtual_media insert --image http://127.0.0.1/x.iso --id DRIVE"),
    *(
        "rf_virtual_media eject --id DRIVE",
        "rf_accounts",
        "rf_accounts --add joe Long-enough1 Operator",
    ),
    *("rf_accounts --setpassword joe Long-enough2", "rf_accounts --delete joe"),
    *("rf_bios_settings", "rf_bios_settings --attribute ProcTurboMode Disabled"),
    *("rf_sys_inventory", "rf_sensor_list", "rf_logs --manager", "rf_logs --system", "rf_sel"),
    *("rf_firmware_inventory", "rf_manager_config info", "rf_manager_config getnet"),
    *("rf_manager_config getprotocol", "rf_event_service info"),
    "rf_event_service subscribe --destination http://127.0.0.1:1/x",
    *("rf_event_service unsubscribe --id 1", "rf_certificates info"),
    *("rf_raw_request --request /redfish/v1/", RF_UPDATE),
    "rf_manager_config reset --type ForceRestart",
)


def redfishtool(service: Service, directory: Path, command: str) -> tuple[int, str]:
    secure = "Always" if service.url.startswith("https") else "Never"
    return run(
        directory,
        *("redfishtool", "-r", urlsplit(service.url).netloc, "-S", secure),
        *("-u", service.username, "-p", service.password, *command.split()),
        timeout=60.0,
    )


def utility(service: Service, directory: Path, command: str) -> tuple[int, str]:
    program, *arguments = command.replace("DRIVE", service.drive).split()
    return run(directory, f"{program}.py", *_login(service), *arguments, timeout=60.0)
