"""BootOptions of a system."""

from __future__ import annotations

from typing import Any

import flask

from emulator.bmc.boot import OPTIONS
from emulator.bmc.services import base


def register(app: flask.Flask) -> None:
    rule = f"{base.ROOT}/Systems/<identity>/BootOptions"

    @base.route(app, rule)
    def boot_options(identity: str) -> Any:
        base.only(identity)
        path = f"{base.ROOT}/Systems/{identity}/BootOptions"
        members = [f"{path}/{reference}" for reference in OPTIONS]
        return base.collection(path, "BootOption", "Boot Options", members)

    @base.route(app, f"{rule}/<reference>")
    def boot_option(identity: str, reference: str) -> Any:
        base.only(identity)
        option = OPTIONS.get(reference)
        if option is None:
            raise base.missing()
        return base.resource(
            f"{base.ROOT}/Systems/{identity}/BootOptions/{reference}",
            "BootOption.v1_0_5",
            reference,
            option.name,
            BootOptionReference=reference,
            BootOptionEnabled=True,
            DisplayName=option.name,
            Alias=option.source,
            UefiDevicePath=option.device_path,
        )
