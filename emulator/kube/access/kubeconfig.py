"""The kubeconfig through which kubectl and the managers reach the lab."""

from __future__ import annotations

import base64
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from emulator.privatefiles import write_private

CONTEXT = "beskar7-lab"


def write_kubeconfig(path: Path, url: str, token: str, authority: Path | None) -> None:
    """Mode 0600: it holds the token. ``authority`` is the CA's PEM file, None without TLS."""
    cluster: dict[str, Any] = {"server": url}
    if authority is not None:
        encoded = base64.b64encode(authority.read_bytes()).decode()
        cluster["certificate-authority-data"] = encoded
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": CONTEXT, "user": {"token": token}}],
        "contexts": [
            {
                "name": CONTEXT,
                "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": "default"},
            }
        ],
        "current-context": CONTEXT,
    }
    write_private(path, yaml.safe_dump(config, sort_keys=False).encode())


def last_port(path: Path) -> int:
    """The port of the server that wrote this kubeconfig; 0 when there is none, or it is taken."""
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        port = urlsplit(config["clusters"][0]["cluster"]["server"]).port or 0
        with socket.socket() as probe:
            # As servers do: connections of before that linger do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except (OSError, yaml.YAMLError, LookupError, TypeError, ValueError):
        return 0
    return port
