"""Puts a world of real processes up, and takes it down: the API, the fleet, the managers.

Every process is a child of this one and binds loopback; managers may also run as pods of a
Deployment (:mod:`emulator.deployed`), and are children of the API's process then. What they share
is a private directory: the kubeconfig, the BMCs' credentials, the control token (all 0600), and
the logs.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
import yaml

from beskar7.api.errors import AlreadyExists
from beskar7.kube.client import KubeClient
from beskar7.runtime import Runtime
from emulator.bmc.client import ADDRESS, TOKEN, FleetControl, FleetControlError
from emulator.deployed import DeployedManagers, DeploymentError, pod_of
from emulator.kube.faults.control import ApiControl
from emulator.kube.store.writelog import WriteRecord
from emulator.privatefiles import write_private
from emulator.processes import Child, ChildError, cpu_seconds, stop_together

log = logging.getLogger(__name__)

MANAGER_KUBECONFIG = "beskar7-controller-manager.kubeconfig"
"""Written by the API at its start, for the managers' service account."""
API, FLEET = "kube-apiserver", "fleet"
START_TIMEOUT = 30.0
STOP_TIMEOUT = 12.0
"""Seconds; a manager's own shutdown timeout is 10."""


class LabError(Exception):
    """The lab could not be put up, or one of its processes is gone."""


class Lab:
    """``fleet`` is a fleet spec; ``directory`` must be private to the user and exist."""

    def __init__(
        self,
        runtime: Runtime,
        directory: Path,
        fleet: Mapping[str, Any],
        *,
        client: str,
        api_port: int = 0,
        data_dir: Path | None = None,
        shards: int = 1,
    ) -> None:
        """``data_dir`` keeps the API's objects; the fleet begins anew each time.

        ``shards`` is how many processes serve the BMCs.
        """
        # Absolute, as a pod is told the path of its kubeconfig and runs somewhere else.
        self.directory = directory.absolute()
        self.addresses: dict[str, str] = {}
        """URL of each BMC, by host name; known once the lab is up."""
        self._runtime = runtime
        self._fleet_spec = fleet
        self._client = client
        self._shards = shards
        self._fleet_pids: list[int] = []
        self._api_args = ["--dir", str(self.directory), "--port", str(api_port)]
        if data_dir is not None:
            self._api_args += ["--data-dir", str(data_dir)]
        self._children: dict[str, Child] = {}
        self._managers: dict[str, Child] = {}
        self._deployed: DeployedManagers | None = None
        self._session = requests.Session()
        self._session.trust_env = False
        self._plain = requests.Session()
        """Without the API's token, which is not for the managers to see."""
        self._plain.trust_env = False
        self._url = ""
        self._cpu: dict[str, float] = {}
        self._cpu_at = runtime.now()
        self._username = "lab"
        self._password = secrets.token_urlsafe(18)

    def start(self) -> None:
        """The API and the fleet, side by side; managers come with :meth:`start_manager`.

        Raises:
            LabError: with the last words of the process that failed.
        """
        api = self._spawn(API, "emulator.kube", *self._api_args)
        spec = self._private("fleet.json", json.dumps(self._fleet_spec))
        login = {"username": self._username, "password": self._password}
        credentials = self._private("bmc-credentials.json", json.dumps(login))
        token = self._private(TOKEN, secrets.token_urlsafe(24))
        fleet = self._spawn(
            FLEET,
            "emulator.bmc",
            *("--spec", str(spec), "--credentials", str(credentials), "--token-file", str(token)),
            *("--shards", str(self._shards)),
        )
        ready = self._await(api)
        self._url = ready["url"]
        self.kubeconfig = Path(ready["kubeconfig"])
        self._trust(self.kubeconfig)
        self.api = ApiControl.of(self.directory)
        self.kube = KubeClient.from_kubeconfig(str(self.kubeconfig), user_agent=self._client)
        served = self._await(fleet)
        self.addresses = dict(served["addresses"])
        self._fleet_pids = list(served["pids"])
        self._private(ADDRESS, served["control"])
        self.fleet = FleetControl.of(self.directory)

    def credentials_secret(self, namespace: str, name: str) -> dict[str, Any]:
        """The Secret that holds the fleet's credentials, as an object to create."""
        data = {"username": self._username, "password": self._password}
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"namespace": namespace, "name": name},
            "type": "Opaque",
            "data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()},
        }

    def start_manager(
        self, identity: str, args: Mapping[str, str], environment: Mapping[str, str] | None = None
    ) -> Child:
        """Start a manager; ``args`` are flags without their dashes. See :meth:`await_managers`.

        ``environment`` adds to this process's own.
        """
        flags = [f"--{name}={value}" for name, value in args.items()]
        child = self._spawn(
            identity,
            "beskar7",
            "manager",
            # Its own account, with the rights that its role gives and no more.
            f"--kubeconfig={self.directory / MANAGER_KUBECONFIG}",
            f"--identity={identity}",
            "--metrics-bind-address=127.0.0.1:0",
            "--health-probe-bind-address=127.0.0.1:0",
            *flags,
            environment=environment,
        )
        self._managers[identity] = child
        return child

    def deploy_managers(self, count: int, args: Mapping[str, str]) -> None:
        """Start managers as a Deployment instead, for kubectl to act on. Raises ApiError.

        One that is there from an earlier lab stays as people have left it.
        """
        self._deployed = DeployedManagers(self.kube)
        with contextlib.suppress(AlreadyExists):
            self._deployed.create(count, args)

    def scale_up(self) -> str:
        """One more replica of the Deployment; the identity of the new manager. Raises LabError."""
        assert self._deployed is not None
        before = {pod_of(identity) for identity, _ in self._deployed.lives()}
        self._deployed.scale_up()
        self.await_managers()
        new = [identity for identity, alive in self._deployed.lives() if alive]
        return next((identity for identity in new if pod_of(identity) not in before), "")

    @property
    def deployed(self) -> bool:
        return self._deployed is not None

    def await_managers(self) -> None:
        """Until every living manager serves its endpoints. Raises LabError."""
        if self._deployed is not None:
            try:
                self._deployed.wait(START_TIMEOUT)
            except DeploymentError as error:
                raise LabError(str(error)) from None
        for child in self._managers.values():
            if child.alive and not child.ready:
                self._await(child)

    def managers(self) -> list[tuple[str, bool]]:
        """Every manager that there was, by identity, and whether it lives."""
        if self._deployed is not None:
            return self._deployed.lives()
        return [(identity, child.alive) for identity, child in self._managers.items()]

    def kill_manager(self, identity: str) -> None:
        """SIGKILL. A pod's next life is another identity. Raises LabError."""
        if self._deployed is None:
            self._managers[identity].kill()
            return
        try:
            self._deployed.kill(identity)
        except DeploymentError as error:
            raise LabError(str(error)) from None

    def metrics_urls(self) -> dict[str, str]:
        """Of each living manager, by identity."""
        if self._deployed is not None:
            return self._deployed.metrics_urls()
        return {
            identity: child.ready["metrics"]
            for identity, child in self._managers.items()
            if child.alive
        }

    def manager_metrics(self) -> dict[str, str]:
        """The ``/metrics`` text of each living manager."""
        found = {}
        for identity, url in self.metrics_urls().items():
            with contextlib.suppress(requests.RequestException):
                found[identity] = self._plain.get(url, timeout=5).text
        return found

    def writes(self, after_seq: int) -> tuple[list[WriteRecord], int]:
        """The API's write log after a sequence number, and how many of these records were lost."""
        try:
            answer = self._session.get(f"{self._url}/lab/writes?after={after_seq}", timeout=30)
            answer.raise_for_status()
            body = answer.json()
        except requests.RequestException as error:
            raise LabError(f"the API's write log: {error}") from None
        records = [WriteRecord.from_json(item) for item in body["writes"]]
        return records, int(body["dropped"])

    def saturation(self) -> dict[str, float]:
        """Share of one core that the API and each shard of the fleet used since the last call.

        1 where a shard was late all the time for want of processor time: what little it got of a
        busy machine was not enough, however small a share of a core that is.
        """
        now = self._runtime.now()
        elapsed = max(now - self._cpu_at, 1e-3)
        self._cpu_at = now
        pids = {
            name: child.pid
            for name, child in self._children.items()
            if name not in self._managers and child.alive and name != FLEET
        }
        several = len(self._fleet_pids) > 1
        names = [f"{FLEET}/{i}" if several else FLEET for i, _ in enumerate(self._fleet_pids)]
        pids.update(zip(names, self._fleet_pids, strict=True))
        shares = {}
        for name, pid in pids.items():
            used = cpu_seconds(pid)
            shares[name] = (used - self._cpu.get(name, 0.0)) / elapsed
            self._cpu[name] = used
        with contextlib.suppress(FleetControlError):  # A fleet that is gone is found by check().
            for name, shard in zip(names, self.fleet.metrics()["shards"], strict=True):
                if shard["saturated"]:
                    shares[name] = max(1.0, shares[name])
        return shares

    def check(self) -> None:
        """Raises LabError when the API or the fleet is gone."""
        for name, child in self._children.items():
            if name not in self._managers and not child.alive:
                raise LabError(f"{name} has ended; its log is {child.log_file}")

    def stop(self) -> None:
        """End every process, managers first. May be called at any time, and twice."""
        stop_together(self._managers.values(), STOP_TIMEOUT)
        if self._deployed is not None:
            # Managers that are pods end with the API, and may ask BMCs something until then.
            stop_together([self._children[API]], STOP_TIMEOUT)
        stop_together(self._children.values(), STOP_TIMEOUT)
        self._session.close()
        self._plain.close()
        if self._url:
            self.api.close()

    def _spawn(
        self, name: str, *module_args: str, environment: Mapping[str, str] | None = None
    ) -> Child:
        child = Child(
            self._runtime,
            name,
            [*module_args, "--exit-with-stdin"],
            self.directory / f"{name}.log",
            environment,
        )
        self._children[name] = child
        return child

    def _await(self, child: Child) -> dict[str, Any]:
        try:
            return child.wait_ready(START_TIMEOUT)
        except ChildError as error:
            raise LabError(str(error)) from None

    def _private(self, name: str, text: str) -> Path:
        path = self.directory / name
        write_private(path, text.encode())
        return path

    def _trust(self, kubeconfig: Path) -> None:
        """Let our own session speak to the API with the kubeconfig's token and authority."""
        config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        authority = self.directory / "ca.crt"
        self._session.verify = str(authority) if authority.exists() else True
        self._session.headers["Authorization"] = f"Bearer {config['users'][0]['user']['token']}"
