"""The history that a plan begins with, asked of a real Prometheus with a day of samples in it."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest

from scenarios.planner.prometheus import Prometheus, history, present

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

SERVER, TOOL = shutil.which("prometheus"), shutil.which("promtool")
HOURS = 6
STEP = 60
BUSY = 3
"""Hours ago, in which there came 90 machines; 6 in each other hour."""
OWNED, RETURNED = 30.0, 6 / 3600
DURATION = "beskar7_controller_beskar7machine_provisioning_duration_seconds"


def samples(now: int) -> Iterator[tuple[str, str, float, int]]:
    """(metric, labels, value, time) of one manager, as docs/metrics.md describes them."""
    begin = now - HOURS * 3600
    for at in range(begin, now + 1, STEP):
        hours = (at - begin) / 3600
        busy = min(1.0, max(0.0, hours - (HOURS - BUSY)))
        count = 6 * hours + 84 * busy
        # A quarter within 200 s, all within 400 s.
        for le, share in (("200.0", 0.25), ("400.0", 1.0), ("+Inf", 1.0)):
            yield f"{DURATION}_bucket", f'namespace="default",le="{le}"', share * count, at
        yield f"{DURATION}_count", 'namespace="default"', count, at
        yield (
            "beskar7_controller_physicalhost_consumer_mappings_total",
            'namespace="default"',
            OWNED,
            at,
        )
        yield (
            "beskar7_concurrent_provisioning_operations_total",
            'namespace="default",operation_type="deprovision",outcome="success"',
            RETURNED * (at - begin),
            at,
        )
        for state, hosts in (("Available", 20), ("Provisioned", 30), ("Error", 4)):
            labels = f'namespace="default",state="{state}"'
            yield "beskar7_controller_physicalhost_states_total", labels, hosts, at
        for vendor, requests in (("dell", 3000.0), ("hpe", 1000.0)):
            labels = f'vendor="{vendor}",operation="get",outcome="success"'
            yield "beskar7_bmc_request_duration_seconds_count", labels, requests, at
        yield "beskar7_configuration_valid", "", 1.0, at
        yield "beskar7_provisioning_concurrency_limit", 'identity="a"', 12.0, at
        yield "beskar7_provisioning_queue_capacity", "", 80.0, at


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if SERVER is None or TOOL is None:
        pytest.skip("needs prometheus and promtool (ci/interop-tools brings them)")
    folder = tmp_path_factory.mktemp("prometheus")
    rows = sorted(samples(int(time.time())), key=lambda row: (row[0], row[1], row[3]))
    lines, last = [], ""
    for metric, labels, value, at in rows:
        if metric != last:
            lines.append(f"# TYPE {metric} unknown")
            last = metric
        lines.append(f"{metric}{{{labels}}} {value} {at}")
    (folder / "day.txt").write_text("\n".join([*lines, "# EOF", ""]), encoding="utf-8")
    (folder / "prometheus.yml").write_text("{}\n", encoding="utf-8")
    made = [TOOL, "tsdb", "create-blocks-from", "openmetrics", "day.txt", "tsdb"]
    subprocess.run(made, cwd=folder, check=True, capture_output=True, timeout=60)
    process = subprocess.Popen(
        [SERVER, "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb",
         "--web.listen-address=127.0.0.1:0"],
        cwd=folder, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield f"http://{_address(process)}"
    finally:
        process.terminate()
        process.wait(30)
        assert process.stderr is not None
        process.stderr.close()


def _address(process: subprocess.Popen[str]) -> str:
    """Read until it listens and is ready."""
    address = ""
    assert process.stderr is not None
    for line in process.stderr:
        if "Listening on" in line:
            address = line.partition("address=")[2].split()[0]
        if "Server is ready" in line:
            return address
    pytest.fail("prometheus ended before it was ready")


def test_the_history_is_what_was_scraped(server: str) -> None:
    found = history(Prometheus(server), HOURS * 3600.0)
    assert found.burst is not None
    assert found.burst[1] == 3600.0
    assert found.burst[0] == pytest.approx(90, rel=0.05)
    assert found.quartile == pytest.approx(200.0, rel=0.02)
    # Little's law: 30 hosts in use, of which 6 an hour come back.
    assert found.lifetime == pytest.approx(5 * 3600.0, rel=0.05)


def test_a_rough_fleet_comes_with_it(server: str) -> None:
    found = present(Prometheus(server), 3600.0)
    assert found.hosts == {"count": 50, "vendors": {"dell": 3000, "hpe": 1000}}
    assert found.config == {
        "provisioning.maxConcurrentOps": "12",
        "provisioning.maxQueueSize": "80",
    }
    assert found.managers == {"replicas": 1}
    assert found.notes


def test_what_was_never_scraped_is_not_known(server: str) -> None:
    assert Prometheus(server).number("beskar7_no_such_metric") is None
