"""Who talks to the BMCs themselves, past the controller: the fleet's own speed."""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import ssl
import time
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import gevent
from locust import task

from loadtest.api import ApiError, Unreachable, path
from loadtest.lifecycle import HOSTS
from loadtest.users.base import PAUSE_AFTER_REFUSAL, ClusterUser

ROOT, SYSTEMS = "/redfish/v1", "/redfish/v1/Systems"
MAX_BODY = 4 << 20
TIMEOUT = 30.0


class RedfishClient(ClusterUser):
    """Reads one BMC after the other: the service root, the systems, the system.

    Addresses and credentials are those of the PhysicalHosts and their Secrets. Each request has a
    connection of its own, as sushy has it.
    """

    def on_start(self) -> None:
        super().on_start()
        self._hosts: list[dict[str, Any]] = []
        self._turn = itertools.count()
        self._logins: dict[str, str] = {}

    @task
    def read_one(self) -> None:
        if not self._hosts and not self._find_hosts():
            gevent.sleep(PAUSE_AFTER_REFUSAL)
            return
        host = self._hosts[next(self._turn) % len(self._hosts)]
        if self._get(host, ROOT, "service root", login=False) is None:
            return
        systems = self._get(host, SYSTEMS, "systems")
        for member in (systems or {}).get("Members") or []:
            self._get(host, str(member.get("@odata.id")), "system")

    def _find_hosts(self) -> bool:
        url = path(self.session.settings.namespace, HOSTS)
        listed = self.timed("list hosts", partial(self.api.get, url))
        self._hosts = [
            host["spec"]["redfishConnection"] for host in (listed or {}).get("items") or []
        ]
        return bool(self._hosts)

    def _login(self, connection: dict[str, Any]) -> str:
        """The Authorization header. Raises ApiError, Unreachable."""
        secret = str(connection.get("credentialsSecretRef") or "")
        if secret not in self._logins:
            where = self.session.settings.namespace
            data = self.api.get(f"/api/v1/namespaces/{where}/secrets/{secret}").get("data") or {}
            words = [base64.b64decode(data.get(key, "")) for key in ("username", "password")]
            self._logins[secret] = "Basic " + base64.b64encode(b":".join(words)).decode()
        return self._logins[secret]

    def _get(
        self, connection: dict[str, Any], url: str, name: str, *, login: bool = True
    ) -> dict[str, Any] | None:
        """The document at ``url``, in Locust's statistics under ``name``; None if it failed."""
        headers = {"Accept": "application/json"}
        try:
            if login:
                headers["Authorization"] = self._login(connection)
        except (ApiError, Unreachable) as error:
            self.refused(error)
            return None
        began = time.monotonic()
        failed: Exception | None = None
        document = None
        try:
            document = _fetch(connection, url, headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            failed = error
        self.session.tell_locust("redfish", name, time.monotonic() - began, failed)
        return document


def _fetch(connection: dict[str, Any], url: str, headers: dict[str, str]) -> dict[str, Any]:
    """Raises OSError, HTTPException, ValueError (not JSON, or an error status)."""
    parts = urlsplit(str(connection.get("address")))
    door: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        if connection.get("insecureSkipVerify"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        door = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=TIMEOUT, context=context
        )
    else:
        door = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
    try:
        door.request("GET", url, headers=headers)
        response = door.getresponse()
        body = response.read(MAX_BODY)
        if response.status >= 400:
            raise ValueError(f"HTTP {response.status}")
        document = json.loads(body)
    finally:
        door.close()
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    return document
