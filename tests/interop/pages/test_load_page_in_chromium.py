"""Locust's page `/beskar7` in a browser, while a load runs."""

from __future__ import annotations

import importlib.util
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        importlib.util.find_spec("locust") is None, reason="the extra `load` is not installed"
    ),
]
HOSTS = """() => Object.fromEntries([...document.querySelectorAll("#hosts tr")].map(
    row => [row.cells[0].textContent, Number(row.cells[2].textContent)]))"""
GROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of the page, while six machines are asked for again and again. BMCs are written to one
    after the other, so that operations wait."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/beskar7"
    size = ["--machines", "6", "--duration", "300", "--managers", "1", "--hold", "1"]
    slow = ["world.config.provisioning.maxConcurrentOps=1", "world.hosts.scale.latency=0.4"]
    world = [word for change in slow for word in ("--set", change)]
    port = url.split(":")[2].partition("/")[0]
    running = subprocess.Popen(
        [sys.executable, "-m", "beskar7", "load", "soak", *size, *world, "--web", port],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        deadline = time.monotonic() + 240
        while True:
            try:
                urllib.request.urlopen(url, timeout=10).close()
                break
            except OSError:  # not there yet
                assert running.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.2)
        yield url
        # Broken off: the lab goes down in order.
        running.send_signal(signal.SIGINT)
        said, _ = running.communicate(timeout=240)
        assert running.returncode == 130, said
    finally:
        running.kill()
        running.wait()


@pytest.mark.timeout(600)
def test_it_shows_conflicts_queue_and_hosts_and_goes_on_by_itself(
    browser: Any, address: str
) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    context.set_default_timeout(120_000)
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    served = "Number.parseInt(document.getElementById('machines').textContent)"
    page.wait_for_function(f"{served} >= 1")
    # Of six machines that come at once, five have their hosts wait.
    queue = "Number.parseInt(document.getElementById('queue').textContent)"
    waiting = page.wait_for_function(queue).json_value()
    assert 0 < waiting <= 6
    first = page.evaluate(served)
    hosts = page.evaluate(HOSTS)
    assert sum(hosts.values()) == 6
    assert re.fullmatch(r"\d+\.\d %", page.locator("#ratio").inner_text())
    assert re.fullmatch(r"\d+ of \d+ attempts", page.locator("#attempts").inner_text())
    # Nobody reloads it: more machines come, the queue and the hosts change.
    page.wait_for_function(f"{served} > {first}")
    page.wait_for_function(f"{queue} !== {waiting}")
    page.wait_for_function(f"was => JSON.stringify(({HOSTS})()) !== was", arg=dumped(hosts))
    assert sum(page.evaluate(HOSTS).values()) == 6
    assert page.locator("#machines-line polyline").count() == 1
    assert page.locator("#queue-line polyline").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert {url.partition("/beskar7")[0] for url in asked} == {address.partition("/beskar7")[0]}
    assert complaints == []
    grounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        grounds.append(page.evaluate(GROUND))
    assert grounds == ["rgb(255, 255, 255)", "rgb(20, 24, 29)"]
    context.close()


@pytest.mark.timeout(600)
def test_it_shows_conflicts_and_what_nobody_knows(browser: Any, address: str) -> None:
    """By figures that are made up, as this lab's one manager meets none."""
    quiet = {"time": 1.0, "attempts": 0, "conflicts": 0, "conflict_ratio": None, "queue": 0}
    quiet |= {"claimed": 0, "provisioned": 0, "broken": 0, "saturated": False, "hosts": {"New": 2}}
    met = quiet | {"attempts": 20, "conflicts": 5, "conflict_ratio": 0.25, "saturated": True}
    rows = [quiet, met | {"attempts": 10, "conflict_ratio": 0.5}, met]
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.route("**/beskar7/figures", lambda route: route.fulfill(json=rows))
    page.goto(address)
    page.wait_for_function("document.getElementById('ratio').textContent === '25.0 %'")
    assert page.locator("#attempts").inner_text() == "5 of 20 attempts"
    points = page.locator("#ratio-line polyline").get_attribute("points").split()
    assert points == ["50.00,2.00", "100.00,20.00"], "nothing where there was no attempt"
    assert "too busy" in page.locator("#state").inner_text()
    rows.append(quiet | {"attempts": None, "conflicts": None, "queue": None})
    page.wait_for_function("document.getElementById('queue').textContent === 'unknown'")
    assert page.locator("#attempts").inner_text() == "unknown of unknown attempts"
    assert page.locator("#ratio").inner_text() == "\N{EN DASH}"
    page.close()


def dumped(hosts: dict[str, int]) -> str:
    """As JSON.stringify writes it."""
    return "{" + ",".join(f'"{name}":{count}' for name, count in hosts.items()) + "}"
