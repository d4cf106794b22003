"""The BMC port over sushy, with deadlines of our own and none of sushy's retries.

sushy's defaults can hold a task for ten minutes on a hanging BMC and send a POST twice
(measured); here every request is sent once, and whoever wants it again reads the state first.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any
from urllib.parse import urlsplit

import requests
import sushy
from sushy import auth as sushy_auth
from sushy import connector as sushy_connector
from sushy import exceptions as sushy_errors
from sushy.resources.manager import virtual_media
from sushy.resources.system import system as sushy_system

from beskar7.config import Tuning
from beskar7.redfish import firmware, hardware
from beskar7.redfish.bounded import BoundedAdapter, read_bounded, retry_after
from beskar7.redfish.port import (
    BiosAttribute,
    Bmc,
    BmcConnector,
    BmcRequestRefused,
    BmcTarget,
    BootOverride,
    CallContext,
    Inventory,
    SystemState,
)
from beskar7.redfish.translation import translated
from beskar7.redfish.vendors import boot_progress
from beskar7.runtime import Runtime

# sushy logs each failure at ERROR although we report it better, with host and operation.
logging.getLogger("sushy").setLevel(logging.CRITICAL)

KEPT_CLIENTS = 1024
"""How many BMCs' clients are kept; each takes about 33 KB (facts, measured)."""

MAX_REDIRECTS = 2
"""BMCs redirect between http and https, or by a slash at most."""
ACCEPTED = 202
TASK_POLL = 1.0
"""Seconds between looks at a task: what services name in Retry-After of a 202, usually."""

SessionSetup = Callable[[requests.Session], None]


class SushyConnector(sushy_connector.Connector):  # type: ignore[misc] # sushy is untyped
    """sushy's connector, bound to a :class:`CallContext` per operation."""

    def __init__(
        self,
        runtime: Runtime,
        url: str,
        *,
        verify: bool,
        request_timeout: Callable[[], float],
        connect_timeout: Callable[[], float],
        agent: str,
        setup: SessionSetup | None,
    ) -> None:
        """Both timeouts are asked for at each request: a client outlives their configuration."""
        super().__init__(url, verify=verify, server_side_retries=1)
        self.context: CallContext | None = None
        self.accepted = False
        """The last answer was 202: what was asked for is still to be done."""
        self._runtime = runtime
        self._request_timeout = request_timeout
        self._connect_timeout = connect_timeout
        self._ends_at = 0.0
        self._retry_after = 0.0
        self._is_cut = False
        self._session.max_redirects = MAX_REDIRECTS
        self._session.hooks["response"].append(self._read)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, BoundedAdapter(runtime))
        self._session.trust_env = False  # proxies and .netrc of the process are not for BMCs
        self._session.headers["User-Agent"] = agent
        if setup is not None:
            setup(self._session)

    def _op(self, method: str, path: str = "", *args: Any, **kwargs: Any) -> requests.Response:
        context = self.context
        if context is None:
            raise RuntimeError("a BMC was called outside of an operation")
        context.deadline.check()
        if self._is_cut:
            raise sushy_errors.ConnectionError(url=path, error="cut off by this side")
        kwargs["server_side_retries_left"] = 0
        kwargs["stream"] = True
        kwargs["headers"] = {
            **(kwargs.get("headers") or {}),
            "X-Beskar7-Operation": context.operation,
        }
        started = self._runtime.now()
        outcome = "error"
        try:
            with nullcontext() if method == "GET" else context.writing():
                # Taken now: entering may have meant to wait.
                context.deadline.check()
                remaining = context.deadline.remaining()
                patience = self._request_timeout()
                if remaining is not None:
                    patience = min(patience, remaining)
                self._ends_at = self._runtime.now() + patience
                kwargs["timeout"] = (min(self._connect_timeout(), patience), patience)
                response: requests.Response = super()._op(method, path, *args, **kwargs)
            outcome = "success"
            self.accepted = response.status_code == ACCEPTED
            return response
        except sushy_errors.HTTPError as error:
            error.retry_after = self._retry_after  # sushy keeps no header of the answer
            raise
        except sushy_errors.ConnectionError as error:
            error.lost_write = method != "GET"
            raise
        finally:
            context.observe(f"{method} {_subject(path)}", outcome, self._runtime.now() - started)

    def _read(self, response: requests.Response, **_: Any) -> None:
        """Called by requests for each answer, before anybody looks into it."""
        self._retry_after = retry_after(self._runtime, response)
        read_bounded(self._runtime, response, self._ends_at)

    def cut(self) -> None:
        """See :meth:`BmcConnector.cut`."""
        self._is_cut = True
        for adapter in self._session.adapters.values():
            adapter.cut()

    def pause(self) -> None:
        """Wait before the next look at what the BMC has accepted, within the deadline."""
        if self.context is None:
            raise RuntimeError("a BMC was called outside of an operation")
        self.context.deadline.check()
        self._runtime.sleep(TASK_POLL)


def _subject(path: str) -> str:
    """The last words of a Redfish path that name no instance: bounded metric labels."""
    for word in (
        "ComputerSystem.Reset",
        "InsertMedia",
        "EjectMedia",
        "VirtualMedia",
        "EthernetInterfaces",
        "Bios",
        "BIOS",
        "BootOptions",
        "Processors",
        "Memory",
        "Managers",
        "Systems",
    ):
        if word in path:
            return word
    return "ServiceRoot"


class SushyBmc:
    """One BMC; discovery is done once and remembered, until an answer makes one doubt it."""

    def __init__(
        self, connector: SushyConnector, target: BmcTarget, keep: Callable[[SushyBmc], None]
    ) -> None:
        self.connector = connector
        self.target = target
        self._keep = keep
        self._root: Any = None
        self._system_path = ""
        self._media_path = ""

    def _asking(self) -> translated:
        return translated(self.target.address, self._forget)

    def _forget(self) -> None:
        """Discover anew: one bad answer, or a new firmware's other paths, must not last."""
        self._root = None
        self._system_path = self._media_path = ""

    def _resource(self) -> Any:
        """The ComputerSystem, freshly read."""
        if self._root is None:
            self._root = sushy.Sushy(
                self.target.address,
                auth=sushy_auth.BasicAuth(self.target.username, self.target.password),
                connector=self.connector,
            )
        if not self._system_path:
            members = self._members(self._root.json["Systems"]["@odata.id"])
            if len(members) != 1:
                raise BmcRequestRefused(f"the BMC lists {len(members)} systems, expected one")
            self._system_path = members[0]
        return sushy_system.System(
            self.connector,
            self._system_path,
            redfish_version=self._root.redfish_version,
            root=self._root,
        )

    def _json(self, path: str) -> Any:
        return self.connector.get(path=path).json()

    def _members(self, path: str) -> list[str]:
        return sorted(member["@odata.id"] for member in self._json(path)["Members"])

    def inventory(self) -> Inventory:
        with self._asking():
            return hardware.inventory(self._resource().json, self._json)

    def system(self) -> SystemState:
        with self._asking():
            body = self._resource().json
            boot = body.get("Boot") or {}
            return SystemState(
                power=body.get("PowerState") or "",
                boot_progress=boot_progress(body),
                override_target=boot.get("BootSourceOverrideTarget") or "",
                override_enabled=boot.get("BootSourceOverrideEnabled") or "",
                uefi_target=boot.get("UefiTargetBootSourceOverride") or "",
                boot_next=boot.get("BootNext") or "",
                mode=boot.get("BootSourceOverrideMode") or "",
            )

    def power(self, reset_type: str) -> None:
        context = self.connector.context
        outcome = "error"
        try:
            with self._asking():
                self._resource().reset_system(sushy.ResetType(reset_type))
            outcome = "success"
        finally:
            if context is not None:
                context.powered(reset_type, outcome)

    def boot_once(self, override: BootOverride) -> None:
        with self._asking():
            system = self._resource()
            firmware.check_boot(system.json)
            if not override.path and not override.option:
                # sushy knows what some vendors mean by a CD.
                mode = firmware.boot_mode(system.json, override.mode)
                system.set_system_boot_options(
                    target=sushy.BootSource(override.source),
                    enabled=sushy.BootSourceOverrideEnabled.ONCE,
                    mode=sushy.BootSourceOverrideMode(mode) if mode else None,
                )
                return
            patch = {"Boot": firmware.boot_patch(system.json, override)}
            self.connector.patch(system.path, data=patch, etag=system._get_etag())

    def cd_boot_option(self) -> str:
        with self._asking():
            return firmware.cd_boot_option(self._resource().json, self._json)

    def bios_attribute(self, name: str) -> BiosAttribute | None:
        with self._asking():
            return firmware.bios_attribute(self._resource().json, self._json, name)

    def set_bios_attribute(self, name: str, value: str) -> None:
        with self._asking():
            path, patch = firmware.bios_patch(self._resource().json, self._json, name, value)
            self.connector.patch(path, data=patch)

    def boot_normally(self) -> None:
        with self._asking():
            self._resource().set_system_boot_options(
                enabled=sushy.BootSourceOverrideEnabled.DISABLED
            )

    def media(self) -> str:
        with self._asking():
            device = self._find_media_device()
            # A BMC that does not say Inserted has in it what it names.
            if device is None or device.inserted is False:
                return ""
            return str(device.image or "")

    def insert_media(self, image: str) -> None:
        with self._asking():
            self._media_device().insert_media(image, inserted=True, write_protected=True)
            if self.connector.accepted:
                # A host that starts before the image is in boots something else.
                while not self._has(image):
                    self.connector.pause()

    def _has(self, image: str) -> bool:
        device = self._media_device()
        return device.inserted is not False and device.image == image

    def eject_media(self) -> None:
        with self._asking():
            self._media_device().eject_media()

    def close(self) -> None:
        self._keep(self)

    def _media_device(self) -> Any:
        device = self._find_media_device()
        if device is None:
            raise BmcRequestRefused("the BMC has no virtual CD or DVD")
        return device

    def _find_media_device(self) -> Any:
        """The first virtual CD or DVD, freshly read; None where there is none.

        The system's own come before those of its managers, which is where they were until
        Redfish moved them (VirtualMedia in ComputerSystem since its v1.13).
        """
        if self._media_path:
            return self._virtual_media(self._media_path)
        body = self._resource().json
        links = (body.get("Links") or {}).get("ManagedBy") or []
        owners = [body] if body.get("VirtualMedia") else []
        if not owners:
            owners = [self._json(path) for path in sorted(link["@odata.id"] for link in links)]
        for owner in owners:
            collection = (owner.get("VirtualMedia") or {}).get("@odata.id")
            for path in self._members(collection) if collection else ():
                device = self._virtual_media(path)
                if {"CD", "DVD"} & {kind.value for kind in device.media_types}:
                    self._media_path = path
                    return device
        return None

    def _virtual_media(self, path: str) -> Any:
        return virtual_media.VirtualMedia(
            self.connector, path, redfish_version=self._root.redfish_version, root=self._root
        )


class SushyBmcs:
    """A :class:`BmcConnector` that keeps the clients of the BMCs used last.

    An operation has its client for itself, until it closes it: a client carries its operation's
    context, so two that shared one would act in each other's name.
    """

    def __init__(
        self,
        runtime: Runtime,
        agent: str,
        *,
        request_timeout: Callable[[], float],
        connect_timeout: Callable[[], float],
        setup: SessionSetup | None = None,
    ) -> None:
        self._runtime = runtime
        self._agent = agent
        self._request_timeout = request_timeout
        self._connect_timeout = connect_timeout
        self._setup = setup
        self._clients: OrderedDict[BmcTarget, SushyBmc] = OrderedDict()
        self._in_use: set[SushyBmc] = set()
        self._is_cut = False
        self._lock = runtime.lock()

    def connect(self, target: BmcTarget, context: CallContext) -> Bmc:
        """A client of the BMC; nothing is sent yet. Raises BmcRequestRefused for a bad address."""
        if urlsplit(target.address).scheme not in ("http", "https"):
            raise BmcRequestRefused(f"{target.address!r} is not an http(s) URL of a BMC")
        with self._lock:
            client = self._clients.pop(target, None)
        client = client or self._new(target)
        client.connector.context = context
        with self._lock:
            self._in_use.add(client)
            cut = self._is_cut
        if cut:
            client.connector.cut()
        return client

    def cut(self) -> None:
        with self._lock:
            self._is_cut = True
            under_way = [*self._in_use]
        for client in under_way:
            client.connector.cut()

    def _keep(self, client: SushyBmc) -> None:
        client.connector.context = None
        with self._lock:
            self._in_use.discard(client)
            if self._is_cut:
                return
            self._clients[client.target] = client
            if len(self._clients) > KEPT_CLIENTS:
                self._clients.popitem(last=False)

    def _new(self, target: BmcTarget) -> SushyBmc:
        connector = SushyConnector(
            self._runtime,
            target.address,
            verify=target.verify,
            request_timeout=self._request_timeout,
            connect_timeout=self._connect_timeout,
            agent=self._agent,
            setup=self._setup,
        )
        return SushyBmc(connector, target, self._keep)


def agent(identity: str) -> str:
    """The User-Agent by which API servers and BMCs know a manager."""
    return f"beskar7-manager/{identity}"


def bmc_connector(
    runtime: Runtime, identity: str, setup: SessionSetup | None = None
) -> Callable[[Callable[[], Tuning]], BmcConnector]:
    """For :class:`Manager`: BMCs over sushy, with the timeouts of the current tuning."""
    return lambda tuning: SushyBmcs(
        runtime,
        agent(identity),
        request_timeout=lambda: tuning().request_timeout,
        connect_timeout=lambda: tuning().connection_timeout,
        setup=setup,
    )
