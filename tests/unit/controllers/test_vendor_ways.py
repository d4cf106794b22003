"""What vendors say in words of their own, as the controller takes it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from sushy import exceptions as sushy_errors

from beskar7.redfish.port import BmcBusy, BmcRequestRefused
from beskar7.redfish.translation import BUSY_MESSAGES, translated
from beskar7.redfish.vendors import boot_progress

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("system", "progress"),
    [
        ({"BootProgress": {"LastState": "OSBootStarted"}}, "OSBootStarted"),
        ({"Oem": {"Hpe": {"PostState": "FinishedPost"}}}, "OSRunning"),
        ({"Oem": {"Hpe": {"PostState": "InPost"}}}, "InPost"),
        ({"Oem": {"Lenovo": {"SystemStatus": "OSBooted"}}}, "OSRunning"),
        (
            {"BootProgress": {"LastState": None}, "Oem": {"Lenovo": {"SystemStatus": "OSBooted"}}},
            "OSRunning",
        ),
        ({"BootProgress": None, "Oem": None}, ""),
        ({"Oem": {"Hpe": None}}, ""),
        ({}, ""),
    ],
)
def test_how_far_a_boot_is(system: dict[str, Any], progress: str) -> None:
    assert boot_progress(system) == progress


def refusal(status: int, message: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    entries = [{"MessageId": message}]
    body = {"error": {"code": "x", "@Message.ExtendedInfo": entries}}
    response._content = json.dumps(body).encode()
    return response


@pytest.mark.parametrize("name", BUSY_MESSAGES)
def test_not_now_under_the_status_of_never_is_worth_another_try(name: str) -> None:
    with pytest.raises(BmcBusy, match=name) as busy, translated("http://b"):
        sushy_errors.raise_for_response("PATCH", "/x", refusal(400, f"iLO.2.18.{name}"))
    assert busy.value.transient


def test_any_other_refusal_stays_one() -> None:
    with pytest.raises(BmcRequestRefused), translated("http://b"):
        sushy_errors.raise_for_response("PATCH", "/x", refusal(400, "Base.1.18.PropertyUnknown"))
