"""What a BMC taught once is doubted when its answers no longer make sense."""

from __future__ import annotations

import io
import json
from contextlib import nullcontext
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter

from beskar7.redfish.port import BmcFault, BmcRequestRefused, BmcTarget, CallContext
from beskar7.redfish.sushy_bmc import SushyBmcs
from beskar7.runtime import VirtualRuntime
from beskar7.runtime.deadline import Deadline

pytestmark = pytest.mark.unit

ADDRESS = "http://127.0.0.1:8000"


class Pages(BaseAdapter):
    """A BMC of a few pages; what is missing is 404."""

    def __init__(self, system: str) -> None:
        super().__init__()
        self.move_to(system)

    def move_to(self, system: str) -> None:
        path = f"/redfish/v1/Systems/{system}"
        self.pages: dict[str, dict[str, Any]] = {
            "/redfish/v1/": {
                "@odata.id": "/redfish/v1/",
                "Id": "root",
                "Name": "root",
                "RedfishVersion": "1.6.0",
                "Links": {"Sessions": {"@odata.id": "/redfish/v1/SessionService/Sessions"}},
                "Systems": {"@odata.id": "/redfish/v1/Systems"},
            },
            "/redfish/v1/Systems": {"Members": [{"@odata.id": path}]},
            path: {"@odata.id": path, "Id": system, "Name": system, "PowerState": "On"},
        }

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        page = self.pages.get(str(request.path_url))
        response = requests.Response()
        response.status_code = 404 if page is None else 200
        response.raw = io.BytesIO(json.dumps(page or {}).encode())
        response.url, response.request = str(request.url), request
        return response

    def close(self) -> None: ...


@pytest.fixture
def bmc() -> Pages:
    return Pages("1")


@pytest.fixture
def power(bmc: Pages) -> Any:
    """Asks for the host's power as an operation of its own does."""
    runtime = VirtualRuntime(0)
    connector = SushyBmcs(
        runtime,
        "test",
        request_timeout=lambda: 10.0,
        connect_timeout=lambda: 5.0,
        setup=lambda session: session.mount("http://", bmc),
    )
    target = BmcTarget(ADDRESS, "admin", "secret")

    def ask() -> str:
        deadline = Deadline(runtime, 60.0)
        context = CallContext("verify", deadline, nullcontext, lambda *_: None)
        client = connector.connect(target, context)
        try:
            return client.system().power
        finally:
            client.close()

    return ask


def test_a_root_that_lacked_its_systems_once_is_read_again(bmc: Pages, power: Any) -> None:
    systems = bmc.pages["/redfish/v1/"].pop("Systems")
    with pytest.raises(BmcFault, match="not Redfish"):
        power()
    bmc.pages["/redfish/v1/"]["Systems"] = systems
    assert power() == "On"


def test_a_system_that_has_another_path_now_is_found(bmc: Pages, power: Any) -> None:
    assert power() == "On"
    bmc.move_to("System.Embedded.1")
    with pytest.raises(BmcRequestRefused, match="404"):
        power()
    assert power() == "On"
