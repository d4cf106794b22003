"""sushy takes a live BMC of each vendor from off to its image and back, over sockets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from beskar7.redfish.port import BmcTarget, BootOverride, CallContext
from beskar7.redfish.sushy_bmc import SushyBmcs
from beskar7.runtime import Deadline, LiveRuntime
from emulator.bmc.personalityfile import personalities

pytestmark = pytest.mark.e2e
IMAGE = "http://images.example/kairos.iso"
VARIANTS = [(vendor, v) for vendor, f in personalities().items() for v in f.versions]


@pytest.fixture(scope="module")
def vendors(start: Callable[..., Any]) -> Any:
    hosts = [
        {"name": f"{vendor}-{i}", "address": f"127.21.0.{i + 1}", "vendor": vendor, "firmware": v}
        for i, (vendor, v) in enumerate(VARIANTS)
    ]
    return start(hosts=hosts)


@pytest.mark.parametrize("index", range(len(VARIANTS)), ids=lambda i: "-".join(VARIANTS[i]))
def test_a_boot_from_the_image_and_back(vendors: Any, index: int) -> None:
    host = f"{VARIANTS[index][0]}-{index}"
    runtime = LiveRuntime(1)
    deadline = Deadline(runtime, 30.0)
    context = CallContext("provision", deadline, nullcontext, lambda *_: None)
    bmcs = SushyBmcs(
        runtime, "test", request_timeout=lambda: 5.0, connect_timeout=lambda: 5.0, setup=None
    )
    bmc = bmcs.connect(BmcTarget(vendors.url(host), "admin", vendors.password), context)
    assert bmc.media() == ""
    bmc.boot_once(BootOverride("Cd"))
    bmc.insert_media(IMAGE)
    assert bmc.media() == IMAGE
    bmc.power("On")
    while (state := bmc.system()).boot_progress != "OSRunning":
        deadline.check()
    assert (state.power, state.one_time_boot_pending) == ("On", False)
    booted = vendors.control.state()[host]["booted"]
    assert booted == f"Cd:{IMAGE}"
    bmc.power("ForceOff")
    bmc.eject_media()
    assert bmc.media() == ""
    bmc.close()
