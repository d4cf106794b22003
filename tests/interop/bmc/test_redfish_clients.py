"""Clients that people use on real BMCs do their work on ours: power, boot, media, accounts."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests
import sushy

pytestmark = pytest.mark.interop


def wait_for(service: Any, ca: str) -> None:
    """Until the BMC answers again."""
    session = requests.Session()
    session.trust_env = False
    # urllib3's own backoff does the waiting: 20 attempts, at most half a second apart.
    retry = requests.adapters.Retry(total=20, backoff_factor=0.05, backoff_max=0.5)
    session.mount("https://", requests.adapters.HTTPAdapter(max_retries=retry))
    assert session.get(f"{service.url}/redfish/v1/", verify=ca, timeout=5).status_code == 200


@pytest.mark.timeout(300)  # dozens of programs, a process each
def test_redfishtool(suites: ModuleType, service: Any, tmp_path: Path) -> None:
    failed = {}
    for command in suites.REDFISHTOOL:
        code, output = suites.redfishtool(service[0], tmp_path, command)
        if code:
            failed[command] = output
    assert failed == {}
    wait_for(*service)


@pytest.mark.timeout(300)  # dozens of programs, a process each
def test_redfish_utilities(suites: ModuleType, service: Any, tmp_path: Path) -> None:
    failed = {}
    for command in suites.UTILITIES:
        code, output = suites.utility(service[0], tmp_path, command)
        if code:
            failed[command] = output
        if command.startswith(("rf_update", "rf_manager_config reset")):
            wait_for(*service)
    assert failed == {}


@pytest.mark.parametrize("kind", ["basic", "session"])
def test_the_redfish_library(suites: ModuleType, service: Any, kind: str) -> None:
    import redfish

    where, ca = service
    client = redfish.redfish_client(
        base_url=where.url, username=where.username, password=where.password, cafile=ca
    )
    client.login(auth=kind)
    try:
        etag = client.get(where.system).getheader("ETag")
        headers = {"If-Match": etag}
        patched = client.patch(where.system, body={"AssetTag": kind}, headers=headers)
        assert patched.status == 204
        assert client.get(where.system).dict["AssetTag"] == kind
        stale = client.patch(where.system, body={"AssetTag": "stale"}, headers=headers)
        assert stale.status == 412
    finally:
        client.logout()


@pytest.mark.parametrize("kind", ["basic", "session"])
def test_sushy(suites: ModuleType, service: Any, kind: str, monkeypatch: Any) -> None:
    where, ca = service
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    auth: Any = sushy.auth.BasicAuth(where.username, where.password)
    if kind == "session":
        auth = sushy.auth.SessionAuth(where.username, where.password)
    root = sushy.Sushy(where.url, auth=auth, verify=ca, read_timeout=5)
    system = root.get_system(where.system)
    assert system.memory_summary.size_gib == 64  # the plain BMC's, as its personality says
    assert sum(cpu.total_cores for cpu in system.processors.get_members()) == 16
    assert system.storage.get_members()[0].drives[0].capacity_bytes > 0
    system.set_system_boot_options(
        target=sushy.BOOT_SOURCE_TARGET_CD, enabled=sushy.BOOT_SOURCE_ENABLED_ONCE
    )
    system.refresh(force=True)
    assert system.boot["target"] == sushy.BOOT_SOURCE_TARGET_CD
    system.bios.set_attribute("ProcVirtualization", "Disabled")
    pending = system.bios.pending_attributes
    assert pending["ProcVirtualization"] == "Disabled"
    [cd] = [media for media in system.virtual_media.get_members() if media.identity == "Cd"]
    cd.insert_media("http://127.0.0.1/x.iso")
    cd.refresh(force=True)
    assert (cd.inserted, cd.image) == (True, "http://127.0.0.1/x.iso")
    cd.eject_media()
    system.reset_system(sushy.RESET_TYPE_FORCE_OFF)


def test_sushy_follows_an_update_to_its_end(suites: ModuleType, service: Any) -> None:
    where, ca = service
    auth = sushy.auth.BasicAuth(where.username, where.password)
    root = sushy.Sushy(where.url, auth=auth, verify=ca, read_timeout=5)
    monitor = root.get_update_service().simple_update(
        "http://127.0.0.1/bios-4.5.6.bin", ["/redfish/v1/UpdateService/FirmwareInventory/BIOS"]
    )
    assert monitor.is_processing
    monitor.wait(10)
    assert not monitor.is_processing
    assert monitor.response.status_code == 200
