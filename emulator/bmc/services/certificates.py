"""What the certificate service links to and sushy-tools lacks."""

from __future__ import annotations

from typing import Any

import flask

from emulator.bmc.services import base

ACTION_INFO = f"{base.ROOT}/CertificateService/ReplaceCertificateActionInfo"
# Parameter of ReplaceCertificate, and the values that it takes (None: any).
PARAMETERS: dict[str, tuple[str, tuple[str, ...] | None]] = {
    "CertificateString": ("String", None),
    "CertificateType": ("String", ("PEM",)),
    "CertificateUri": ("Object", None),
}


def register(app: flask.Flask) -> None:
    @base.route(app, ACTION_INFO)
    def replace_certificate() -> Any:
        parameters = []
        for name, (kind, allowed) in PARAMETERS.items():
            entry: dict[str, Any] = {"Name": name, "Required": True, "DataType": kind}
            if allowed:
                entry["AllowableValues"] = list(allowed)
            parameters.append(entry)
        return base.resource(
            ACTION_INFO,
            "ActionInfo.v1_4_2",
            "ReplaceCertificateActionInfo",
            "Replace Certificate Action Info",
            Parameters=parameters,
        )
