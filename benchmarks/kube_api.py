"""The lab's API server beside a bare aiohttp handler: GET, PUT, LIST, watch fan-out, memory.

By hand: ``python benchmarks/kube_api.py [--seconds 2] [--rounds 3]``. Both servers are processes of
their own without TLS; the client is raw asyncio sockets in a third. The bare handler answers with
as many bytes as ours does. The two are measured in turns, and the median round counts, for other
work on the machine hits both. On LIST ours can pass the bare handler, whose body of bytes aiohttp
copies behind the headers before it is sent.

A client in Python is slower than the server, so GET and LIST are pipelined; a conditional PUT
cannot be, and its rate is the client's. ``busy`` is the server's share of a core: where it is well
below 1, rates say little, and the ratio of processor time per request (``by CPU``) is the one to
read. So the goal on GET is judged by the rates where both servers were saturated (90 % of a core),
else by processor time; the report says which. Writes out/bench/kube_api.json.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import statistics
import tempfile
from collections.abc import Callable
from typing import Any

from kube_loads import CONNECTIONS, HOSTS, fan_out, populate, rate, size_of
from kube_servers import BARE, ROOT, Server, ours, started

OUT = ROOT / "out/bench/kube_api.json"
LISTED, MANY = 1000, 10_000
SATURATED = 0.9
GOALS = {"GET, share of the ceiling": 0.6, "LIST CPU ms": 1.0, "MB at 10,000 hosts": 150.0}


def run_rate(server: Server, size: int, seconds: float, method: str, path: str) -> dict[str, float]:
    return asyncio.run(rate(server, size, seconds, method, path))


def in_turns(
    rounds: int, mine: Callable[[], dict[str, float]], ceiling: Callable[[], dict[str, float]]
) -> dict[str, float]:
    """Medians over the rounds; the ratio is of rates within a round."""
    pairs = [(mine(), ceiling()) for _ in range(rounds)]
    middle = statistics.median
    return {
        "rate": middle(own["rate"] for own, _ in pairs),
        "ceiling": middle(most["rate"] for _, most in pairs),
        "ratio": middle(own["rate"] / most["rate"] for own, most in pairs),
        "cpu_us": middle(own["cpu_us"] for own, _ in pairs),
        "busy": middle(own["busy"] for own, _ in pairs),
        "ceiling_busy": middle(most["busy"] for _, most in pairs),
        "cpu_ratio": middle(most["cpu_us"] / own["cpu_us"] for own, most in pairs),
    }


def measure(seconds: float, rounds: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with ours() as server, started("-c", BARE) as bare:
        asyncio.run(populate(server, LISTED))
        one = f"{HOSTS}/bench-NUMBER"
        for name, method, path in (
            ("GET", "GET", one),
            ("PUT", "PUT", one),
            ("LIST", "GET", HOSTS),
        ):
            size = asyncio.run(size_of(server, path.replace("NUMBER", "00000")))
            found[name] = in_turns(
                rounds,
                functools.partial(run_rate, server, 0, seconds, method, path),
                functools.partial(run_rate, bare, size, seconds, method, path),
            )
            found[name]["bytes"] = size
        spread = [asyncio.run(fan_out(server, 400)) for _ in range(rounds)]
        found["WATCH x50"] = {
            key: statistics.median(each[key] for each in spread) for key in ("rate", "cpu_us")
        }
    with ours() as server:
        empty = server.megabytes()
        asyncio.run(populate(server, MANY))
        found["memory"] = {"empty_mb": empty, "hosts": MANY, "mb": server.megabytes()}
    with tempfile.TemporaryDirectory() as data, ours("--data-dir", data) as server:
        asyncio.run(populate(server, CONNECTIONS))
        kept = [asyncio.run(rate(server, 0, seconds, "PUT", one)) for _ in range(rounds)]
        found["PUT, --data-dir"] = {
            key: statistics.median(each[key] for each in kept) for key in ("rate", "cpu_us")
        }
    return found


def judged(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    get = found["GET"]
    saturated = min(get["busy"], get["ceiling_busy"]) >= SATURATED
    found["judged_by"] = "rate" if saturated else "processor time"
    values = {
        "GET, share of the ceiling": (get["ratio" if saturated else "cpu_ratio"], "at least"),
        "LIST CPU ms": (found["LIST"]["cpu_us"] / 1000, "under"),
        "MB at 10,000 hosts": (found["memory"]["mb"], "under"),
    }
    return {
        name: {
            "value": value,
            "goal": f"{how} {GOALS[name]:g}",
            "met": value >= GOALS[name] if how == "at least" else value < GOALS[name],
        }
        for name, (value, how) in values.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="of load, for each figure")
    parser.add_argument("--rounds", type=int, default=3, help="of both servers in turn")
    options = parser.parse_args()
    found = measure(options.seconds, options.rounds)
    goals = judged(found)
    names = f"{'':16} {'a second':>10} {'ceiling':>10} {'ratio':>6} {'CPU us':>8} {'by CPU':>7}"
    print(f"{names} {'busy':>10}")
    for name, row in found.items():
        if not isinstance(row, dict) or name == "memory":
            continue
        cells = [f"{name:16} {row['rate']:10,.0f}"]
        cells.append(f"{row['ceiling']:10,.0f} {row['ratio']:6.2f}" if "ratio" in row else " " * 17)
        cells.append(f"{row['cpu_us']:8,.0f}")
        if "cpu_ratio" in row:
            cells.append(f"{row['cpu_ratio']:7.2f} {row['busy']:5.2f}/{row['ceiling_busy']:.2f}")
        print(" ".join(cells))
    memory = found["memory"]
    print(f"memory: {memory['mb']:.0f} MB at {MANY:,} hosts, {memory['empty_mb']:.0f} MB without")
    print(f"GET is judged by {found['judged_by']}")
    for name, goal in goals.items():
        print(
            f"{'met' if goal['met'] else 'NOT MET':8} {name}: {goal['value']:.2f} ({goal['goal']})"
        )
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"figures": found, "goals": goals}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
