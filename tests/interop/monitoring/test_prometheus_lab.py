"""A real Prometheus scrapes the lab's managers: quiet while all is well, and loud when it is not.

All times of the rules are divided by twenty. Prometheus sends its alarms to a listener here, as it
would to an Alertmanager, so that the tests wait for news and not for time.
"""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from beskar7.api.kinds import BESKAR7_MACHINE, CONFIG_MAP, LEASE
from beskar7.claim_term import CLAIM_LEASE
from beskar7.monitoring.rules import MAX_COMPRESSION, rule_groups
from beskar7.monitoring.scraping import prometheus_configuration
from scenarios.engine.expand import machine
from scenarios.engine.live import LiveWorld
from scenarios.engine.loader import loads
from scenarios.engine.schema import Scenario

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

PATIENCE = 60.0
"""Seconds for what takes a few on a machine that is not busy; a wait ends when it is seen."""
SYSTEM = "beskar7-system"
SCENARIO = """
name: watched
world:
  hosts:
    count: 14
    vendors: {dell: 1, hpe: 1}
    scale: {boot: 0.005, latency: 0.05}
  managers:
    replicas: 3
    args:
      enable-claim-coordinator-leader-election: "true"
      claim-coordinator-lease-duration: 3s
      claim-coordinator-renew-deadline: 2s
      claim-coordinator-retry-period: 300ms
      leader-elect-lease-duration: 3s
      leader-elect-renew-deadline: 2s
      leader-elect-retry-period: 300ms
  config:
    provisioning.bmcCooldownPeriod: 1s
    provisioning.maxQueueSize: "10"
load: {machines: 1}
"""


class Listener:
    """What Prometheus says to an Alertmanager: which alarms fire now, and which ever did."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._firing: dict[str, dict[str, Any]] = {}
        self.heard: list[str] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener._hear(json.loads(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _hear(self, alerts: list[dict[str, Any]]) -> None:
        with self._changed:
            for alert in alerts:
                key = json.dumps(alert["labels"], sort_keys=True)
                if datetime.fromisoformat(alert["endsAt"]) <= datetime.now(UTC):
                    self._firing.pop(key, None)
                else:
                    self._firing[key] = alert
                    self.heard.append(alert["labels"]["alertname"])
            self._changed.notify_all()

    def firing(self, name: str, **labels: str) -> list[dict[str, Any]]:
        with self._changed:
            return [
                alert
                for alert in self._firing.values()
                if ({"alertname": name} | labels).items() <= alert["labels"].items()
            ]

    def until_fires(self, name: str, **labels: str) -> dict[str, Any]:
        self._until(lambda: bool(self.firing(name, **labels)), f"{name} fires")
        return self.firing(name, **labels)[0]

    def until_quiet(self, *names: str) -> None:
        quiet = lambda: not any(self.firing(name) for name in names)  # noqa: E731 # short
        self._until(quiet, f"{', '.join(names)} quiet")

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        with self._changed:
            if not self._changed.wait_for(holds, PATIENCE):
                pytest.fail(f"not within {PATIENCE:g}s: {what}; {sorted(self._firing)}")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Prometheus:
    """The program, and its API."""

    def __init__(self, program: str, directory: Path) -> None:
        self._process = subprocess.Popen(
            [
                program,
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=tsdb",
                "--web.listen-address=127.0.0.1:0",
            ],
            cwd=directory,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._said: list[str] = []
        address = ""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._said.append(line)
            found = re.search(r'msg="Listening on" address=(\S+)', line)
            if found:
                address = found.group(1)
            if "Server is ready to receive web requests" in line:
                break
        assert address, "".join(self._said)
        self.url = f"http://{address}"
        threading.Thread(target=self._keep_reading, daemon=True).start()

    def _keep_reading(self) -> None:
        assert self._process.stderr is not None
        self._said.extend(self._process.stderr)

    def get(self, path: str, **query: str) -> Any:
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def value(self, expression: str) -> float | None:
        """Of an expression with at most one series."""
        found = self.get("query", query=expression)["result"]
        return float(found[0]["value"][1]) if found else None

    def until(self, expression: str, holds: Callable[[float | None], bool]) -> None:
        """Asked once a second, which is how often there is something new."""
        end = time.monotonic() + PATIENCE
        while not holds(last := self.value(expression)):
            if time.monotonic() > end:
                pytest.fail(f"{expression} is {last} after {PATIENCE:g}s")
            time.sleep(1.0)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)
        trouble = [line for line in self._said if "level=error" in line]
        assert trouble == []


class Watched:
    """A lab, and a Prometheus that watches it."""

    def __init__(self, program: str, directory: Path) -> None:
        self.scenario: Scenario = loads(SCENARIO)
        self.world = LiveWorld(self.scenario, seed=1)
        self.alarms = Listener()
        self._targets = directory / "targets.json"
        self._directory = directory
        self.prometheus: Prometheus | None = None
        try:
            self.world.start()
            self.prometheus = self._watch(program)
        except BaseException:
            self.stop()
            raise

    def _watch(self, program: str) -> Prometheus:
        rules = rule_groups(compression=MAX_COMPRESSION)
        configuration = prometheus_configuration(
            "rules.yaml", targets="targets.json", compression=MAX_COMPRESSION
        )
        configuration["alerting"] = {
            "alertmanagers": [{"static_configs": [{"targets": [self.alarms.address]}]}]
        }
        for name, value in (("rules.yaml", rules), ("prometheus.yml", configuration)):
            (self._directory / name).write_text(yaml.safe_dump(value), encoding="utf-8")
        self.discover()
        return Prometheus(program, self._directory)

    def discover(self) -> None:
        """As a service discovery does: those that live now. Prometheus sees the file change."""
        urls = self.world.lab.metrics_urls().values()
        targets = [urllib.parse.urlsplit(url).netloc for url in urls]
        fresh = self._targets.with_suffix(".new")
        fresh.write_text(json.dumps([{"targets": targets}]), encoding="utf-8")
        fresh.replace(self._targets)

    def ask(self) -> Prometheus:
        assert self.prometheus is not None
        return self.prometheus

    def create_machines(self, first: int, last: int) -> None:
        for number in range(first, last + 1):
            self.world.kube.create(BESKAR7_MACHINE, machine(self.scenario.load, number))

    def configure(self, **data: str) -> None:
        patch = {"data": {f"provisioning.{key}": value for key, value in data.items()}}
        self.world.kube.patch(CONFIG_MAP, SYSTEM, "beskar7-config", patch)

    def kill_claim_leader(self) -> None:
        """And wait until the lease names another."""
        found = self.world.kube.get(LEASE, SYSTEM, CLAIM_LEASE)
        victim = found["spec"]["holderIdentity"]
        watch = self.world.kube.watch(
            LEASE, SYSTEM, resource_version=found["metadata"]["resourceVersion"], timeout=PATIENCE
        )
        self.world.lab.kill_manager(victim)
        for event in watch:
            if event.type == "BOOKMARK" or event.object["metadata"]["name"] != CLAIM_LEASE:
                continue
            if event.object["spec"].get("holderIdentity") not in ("", None, victim):
                break
        else:
            pytest.fail("nobody took over")
        watch.close()
        self.discover()

    def stop(self) -> None:
        try:
            if self.prometheus is not None:
                self.prometheus.stop()
        finally:
            self.world.stop()
            self.alarms.close()


@pytest.fixture
def watched(prometheus_program: str, tmp_path: Path) -> Iterator[Watched]:
    found = Watched(prometheus_program, tmp_path)
    yield found
    found.stop()


def healthy_lab_is_quiet_and_its_series_keep_their_names(watched: Watched) -> None:
    ask = watched.ask()
    ask.until('sum(up{job="beskar7-controller-manager"})', lambda up: up == 3)
    hosts = "sum(beskar7_controller_physicalhost_states_total{%s})"
    ask.until(hosts % 'namespace="default",state="Available"', lambda count: count == 14)
    watched.create_machines(1, 2)
    ask.until(hosts % 'namespace="default",state="Provisioned"', lambda count: count == 2)
    # What has only begun to be a reason for an alarm passes, too.
    ask.until("count(ALERTS) or vector(0)", lambda alarms: alarms == 0)
    assert watched.alarms.heard == []
    # The metrics' own namespace, and for those that have none the managers'.
    assert ask.value('count({exported_namespace!=""}) or vector(0)') == 0
    assert ask.value(f'sum(beskar7_leader{{namespace="{SYSTEM}"}})') == 1
    assert ask.value("beskar7:provisioning_queue_utilization") == 0
    vendors = ask.get("query", query="beskar7:bmc_request_duration_p95_5m")["result"]
    assert {each["metric"]["vendor"] for each in vendors} & {"dell", "hpe"}
    groups = ask.get("rules")["groups"]
    unhealthy = [r["name"] for g in groups for r in g["rules"] if r["health"] != "ok"]
    assert unhealthy == []


def drained_queue_fills_and_turns_away_until_it_is_opened_again(watched: Watched) -> None:
    watched.configure(maxConcurrentOps="0")
    watched.create_machines(3, 14)
    full = watched.alarms.until_fires("ProvisioningQueueFull", namespace="default")
    assert "turned away" in full["annotations"]["description"]
    near = watched.alarms.until_fires("ProvisioningQueueNearFull")
    assert near["annotations"]["description"].startswith("100%")
    watched.configure(maxConcurrentOps="5")
    watched.alarms.until_quiet("ProvisioningQueueFull", "ProvisioningQueueNearFull")


def leaders_that_die_one_after_another_are_told(watched: Watched) -> None:
    for _ in range(2):
        watched.kill_claim_leader()
    alarm = watched.alarms.until_fires("LeaderElectionInstability", lease=CLAIM_LEASE)
    rate = re.search(r"changes ([\d.]+) times per minute", alarm["annotations"]["description"])
    assert rate is not None
    # Two within the half minute of the window, give or take what Prometheus extrapolates.
    assert 3.5 < float(rate.group(1)) < 5.5


def managers_that_are_all_gone_are_told_although_no_target_is_left(watched: Watched) -> None:
    for identity in list(watched.world.lab.metrics_urls()):
        watched.world.lab.kill_manager(identity)
    watched.discover()
    alarm = watched.alarms.until_fires("ConcurrentProvisioningDown")
    assert alarm["labels"]["severity"] == "critical"
    # It goes on where `up == 0` has ended, as there is no `up` any more, and has been none for
    # several evaluations.
    firing = 'ALERTS{alertname="ConcurrentProvisioningDown",alertstate="firing"}'
    watched.ask().until(f"count({firing} unless on () (up offset 3s))", lambda alarms: alarms == 1)


def test_alarms_are_quiet_while_all_is_well_and_fire_when_it_is_not(watched: Watched) -> None:
    """One test, as acts on one lab: else parallel workers put up a lab for each."""
    healthy_lab_is_quiet_and_its_series_keep_their_names(watched)
    drained_queue_fills_and_turns_away_until_it_is_opened_again(watched)
    leaders_that_die_one_after_another_are_told(watched)
    managers_that_are_all_gone_are_told_although_no_target_is_left(watched)
