"""Writes docs/redfish-support.md: what the clients and validators say of us, and of stock.

Usage: python ci/redfish_support.py           writes the file
       python ci/redfish_support.py VENDOR    says what the suites say of one vendor's BMC
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import redfish_suites as suites
import requests

from emulator.bmc.personalityfile import personalities

REPOSITORY = Path(__file__).parents[1]
TARGET = REPOSITORY / "docs" / "redfish-support.md"
PASSWORD = "Correct-horse1"
STARTS_WITHIN = 40  # attempts, half a second apart
# Path (of a System: after its path), and what it is.
RESOURCES = (
    *(("/redfish", "Versions"), ("/redfish/v1/odata", "Service document")),
    *(("/redfish/v1/$metadata", "Metadata"), ("/redfish/v1/SessionService", "SessionService")),
    *(("/redfish/v1/AccountService", "AccountService"), ("/redfish/v1/TaskService/Tasks", "Tasks")),
    *(("/redfish/v1/EventService", "EventService"), ("+", "System"), ("+/BIOS", "Bios")),
    *(("/redfish/v1/UpdateService/FirmwareInventory", "FirmwareInventory"),),
    *(("+/BootOptions", "BootOptions"), ("+/Processors", "Processors"), ("+/Memory", "Memory")),
    *(("+/SimpleStorage", "SimpleStorage"), ("+/Storage", "Storage")),
    *(("+/EthernetInterfaces", "EthernetInterfaces"), ("+/NetworkInterfaces", "NetworkInterfaces")),
    *(("+/SecureBoot", "SecureBoot"), ("+/VirtualMedia", "VirtualMedia")),
    *(("+/LogServices", "LogServices"), ("C/Power", "Power"), ("C/Thermal", "Thermal")),
    *(("M/NetworkProtocol", "ManagerNetworkProtocol"), ("M/LogServices", "Manager's LogServices")),
)


VALIDATORS = {
    "redfish_service_validator": suites.service_validator,
    "redfish_protocol_validator": suites.protocol_validator,
    "redfish_use_case_checkers": suites.use_case_checkers,
}


def _system(url: str, verify: str | bool) -> str:
    session = requests.Session()
    session.trust_env = False
    # A service that starts refuses connections at first; urllib3 waits in between.
    retry = requests.adapters.Retry(total=STARTS_WITHIN, backoff_factor=0.1, backoff_max=0.5)
    for scheme in ("http://", "https://"):
        session.mount(scheme, requests.adapters.HTTPAdapter(max_retries=retry))
    answer = session.get(
        f"{url}/redfish/v1/Systems", auth=("admin", PASSWORD), verify=verify, timeout=10
    )
    path: str = answer.json()["Members"][0]["@odata.id"]
    return path


@contextmanager
def ours(directory: Path, vendor: str = "generic") -> Iterator[tuple[suites.Service, str | bool]]:
    hosts = [{"name": "host-001", "address": "127.33.0.1", "vendor": vendor}]
    spec = {"seed": 7, "tls": True, "hosts": hosts, "scale": {"boot": 0.01, "latency": 0}}
    (directory / "fleet.json").write_text(json.dumps(spec))
    secrets = {
        "credentials": json.dumps({"username": "admin", "password": PASSWORD}),
        "token": "token-of-the-control-endpoint",
    }
    for name, secret in secrets.items():
        (directory / name).touch(0o600)
        (directory / name).write_text(secret)
    command = [sys.executable, "-m", "emulator.bmc", "--exit-with-stdin"]
    for option in ("credentials", "token-file", "tls-dir"):
        place = {"token-file": "token", "tls-dir": ""}.get(option, option)
        command += [f"--{option}", str(directory / place)]
    command += ["--spec", str(directory / "fleet.json")]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    url = ready["addresses"]["host-001"]
    try:
        media = personalities()[vendor].of("host-001").media
        drive = next(device.id for device in media if "CD" in device.types)
        system = _system(url, ready["ca"])
        yield suites.Service(url, "admin", PASSWORD, system, drive), ready["ca"]
    finally:
        process.stdin.close()
        process.wait(10)


@contextmanager
def stock(directory: Path) -> Iterator[tuple[suites.Service, str | bool]]:
    """sushy-tools as it comes, with its fake driver; it has no TLS certificate of its own."""
    import bcrypt

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    digest = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (directory / "htpasswd").write_text(f"admin:{digest}\n")
    config = [
        "SUSHY_EMULATOR_FAKE_DRIVER = True",
        f"SUSHY_EMULATOR_AUTH_FILE = {str(directory / 'htpasswd')!r}",
        f"SUSHY_EMULATOR_STATE_DIR = {str(directory)!r}",
    ]
    (directory / "emulator.conf").write_text("\n".join(config))
    # Its state goes into the temporary directory, which every instance shares.
    environment = {**os.environ, "TMPDIR": str(directory)}
    process = subprocess.Popen(
        [
            *(str(suites.SCRIPTS / "sushy-emulator"), "--fake", "-i", "127.0.0.1"),
            *("-p", str(port), "--config", str(directory / "emulator.conf")),
        ],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        system = _system(url, True)
        yield suites.Service(url, "admin", PASSWORD, system), True
    finally:
        process.terminate()
        process.wait(10)


def measure(service: suites.Service, verify: str | bool) -> dict[str, str]:
    """One column of the tables."""
    found: dict[str, str] = {}
    session = requests.Session()
    session.trust_env = False
    session.auth, session.verify = (service.username, service.password), verify
    places = {"+": service.system}
    for letter, collection in (("M", "Managers"), ("C", "Chassis")):
        members = session.get(f"{service.url}/redfish/v1/{collection}", timeout=10).json()
        places[letter] = members["Members"][0]["@odata.id"]
    for path, name in RESOURCES:
        path = places.get(path[0], path[0]) + path[1:]
        status = session.get(service.url + path, timeout=10, allow_redirects=False).status_code
        found[name] = "yes" if status == 200 else f"no ({status})"
    # The clients come first: they expect a BMC that nobody has used.
    return found | run_clients(service, verify) | run_validators(service)


def run_clients(service: suites.Service, verify: str | bool) -> dict[str, str]:
    """How many commands of each command-line client succeed, by its name."""
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as place:
        for name, commands, one in (
            ("redfish_utilities", suites.UTILITIES, suites.utility),
            ("redfishtool", suites.REDFISHTOOL, suites.redfishtool),
        ):
            passed = 0
            for command in commands:
                passed += one(service, Path(place), command)[0] == 0
            # The last command reboots the BMC.
            _system(service.url, verify)
            found[name] = f"{passed} of {len(commands)} commands"
    return found


def run_validators(service: suites.Service) -> dict[str, str]:
    """What each of the DMTF's suites says, by its name."""
    found: dict[str, str] = {}
    for name, suite in VALIDATORS.items():
        with tempfile.TemporaryDirectory() as place:
            found[name] = _clean(str(suite(service, Path(place))))
    return found


def _clean(text: str) -> str:
    """Without addresses and what a table cannot hold."""
    text = re.sub(r"https?://[\d.:]+", "", text).replace("|", "/")
    return text if len(text) < 120 else text[:117] + "..."


def table(names: tuple[str, ...], left: dict[str, str], right: dict[str, str]) -> list[str]:
    rows = ["| | ours | stock sushy-tools |", "|---|---|---|"]
    return rows + [f"| {name} | {left[name]} | {right[name]} |" for name in names]


def vendors_table() -> list[str]:
    """The validators against one BMC of each vendor."""
    rows = {}
    for vendor in sorted(personalities()):
        with tempfile.TemporaryDirectory() as place, ours(Path(place), vendor) as (service, _):
            rows[vendor] = run_validators(service)
    return table_of(rows)


def table_of(rows: dict[str, dict[str, str]]) -> list[str]:
    head = [f"| | {' | '.join(rows)} |", "|---" * (len(rows) + 1) + "|"]
    return head + [f"| {p} | {' | '.join(rows[v][p] for v in rows)} |" for p in VALIDATORS]


def one_vendor(vendor: str) -> int:
    """Say what the suites say of one vendor's BMC; write nothing."""
    with tempfile.TemporaryDirectory() as place, ours(Path(place), vendor) as (service, verify):
        for name, said in (run_clients(service, verify) | run_validators(service)).items():
            print(f"{vendor}: {name}: {said}", flush=True)
    return 0


def main() -> int:
    absent = suites.missing()
    if absent:
        print(f"not installed: {', '.join(absent)} (pip install '.[interop]')", file=sys.stderr)
        return 2
    if sys.argv[1:]:
        return one_vendor(sys.argv[1])
    columns = []
    for serve in (ours, stock):
        with tempfile.TemporaryDirectory() as place, serve(Path(place)) as (service, verify):
            columns.append(measure(service, verify))
    names = tuple(dict.fromkeys(name for _, name in RESOURCES))
    programs = (*suites.PACKAGES[1:],)
    versions = ", ".join(f"{name} {version(name)}" for name in (*programs, "sushy-tools"))
    lines = [
        "# Redfish support",
        "",
        "Written by `python ci/redfish_support.py` from runs against one emulated BMC and against",
        "stock sushy-tools with its fake driver; do not edit. The service validator needs schema",
        "files that it downloads; without them it walks every link and warns for each resource.",
        "",
        f"Versions: {versions}.",
        "",
        "## Validators and command-line clients",
        "",
        *table(programs, *columns),
        "",
        "## Each vendor's personality",
        "",
        "The validators against one BMC of each vendor, with its own paths, drives and quirks. A",
        "check that fails is one that the vendor's quirks refuse, as the real BMC would;",
        "`python ci/redfish_support.py VENDOR` runs the command-line clients as well.",
        "",
        *vendors_table(),
        "",
        "## Resources",
        "",
        *table(names, *columns),
        "",
    ]
    TARGET.write_text("\n".join(lines))
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
