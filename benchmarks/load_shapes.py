"""Concurrent claims as their owners see them: live by Locust, and the same in virtual time.

By hand: ``python benchmarks/load_shapes.py [--machines 10,50,100,200] [--publish]``. ``beskar7 load
batch`` for each number of machines in both modes of claims, on a lab with 3 managers, as many hosts
as machines, and boots of seconds. Times are the world's (API log) on either clock, so that they can
be compared, and beside them the clients' own. What the guide says of the modes stands in the table
(sub-second claims to 10 or 20 at once in standard mode; 1 to 3 s and fewer conflicts in leader
mode, for 50 and more). Writes out/bench/load.json; ``--publish`` also docs/load-figures.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
OUT = ROOT / "out/bench/load.json"
PAGE = ROOT / "docs/load-figures.md"
MODES = ("standard", "leader")
GUIDE = {
    "standard": "below a second, to 10 or 20 at once",
    "leader": "1 to 3 s, from 50 at once, fewer conflicts",
}
LIMIT = 600.0
"""Seconds of wall time for one run."""


def run(machines: int, mode: str, clock: str) -> dict[str, Any]:
    """``result.json`` of one run, and the machine's load when it began."""
    began = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "beskar7", "load", "batch"]
        size = ["--machines", str(machines), "--managers", "3", "--mode", mode, "--clock", clock]
        rest = ["--report", folder, "--output", "json", "--hold", "0.1"]
        done = subprocess.run(
            [*command, *size, *rest], capture_output=True, text=True, timeout=LIMIT, check=False
        )
    if done.returncode not in (0, 1):
        raise SystemExit(f"{mode}, {machines} machines, {clock}: {done.stderr[-2000:]}")
    return {**json.loads(done.stdout), "load": began}


def row(machines: int, mode: str) -> dict[str, Any]:
    live, virtual = (run(machines, mode, clock) for clock in ("live", "virtual"))
    client = live["client"]["measures"]
    return {
        "mode": mode,
        "machines": machines,
        "held": live["passed"] and virtual["passed"],
        "shortfalls": live["shortfalls"] + virtual["shortfalls"],
        "bottleneck": live["bottleneck"],
        "load": live["load"],
        "conflicts": live["metrics"]["conflict_ratio"],
        "client_claim_p95": client["time-to-claim"].get("p95"),
        "client_ready_p95": client["time-to-provisioned"].get("p95"),
        **{
            f"{clock}_{name}_{statistic}": found["metrics"][f"{measure}.{statistic}"]
            for clock, found in (("live", live), ("virtual", virtual))
            for name, measure in (("claim", "claim_seconds"), ("ready", "ready_seconds"))
            for statistic in ("p50", "p95")
        },
    }


def apart(found: dict[str, Any], name: str) -> str:
    """How far virtual time is from the live run."""
    live, virtual = found[f"live_{name}_p95"], found[f"virtual_{name}_p95"]
    return f"{(virtual - live) / live:+.0%}" if virtual is not None and live else "-"


def told(value: float | None, form: str, scale: float = 1.0) -> str:
    return "-" if value is None else format(scale * value, form)


def claims(found: dict[str, Any]) -> list[str]:
    times = ("live_claim_p50", "live_claim_p95", "client_claim_p95", "virtual_claim_p95")
    return [
        found["mode"],
        str(found["machines"]),
        *(told(found[name], ".0f", 1000.0) for name in times),
        told(found["conflicts"], ".1%"),
        GUIDE[found["mode"]],
    ]


def boots(found: dict[str, Any]) -> list[str]:
    times = ("live_ready_p50", "live_ready_p95", "client_ready_p95", "virtual_ready_p95")
    verdict = "held" if found["held"] else "; ".join(found["shortfalls"])
    return [
        found["mode"],
        str(found["machines"]),
        *(told(found[name], ".1f") for name in times),
        apart(found, "ready"),
        f"{found['load']:.1f}",
        verdict + (f" (bottleneck: {found['bottleneck']})" if found["bottleneck"] else ""),
    ]


WHO = ["mode", "machines at once"]
SEEN = ["live P50", "live P95", "live P95, by clients", "virtual time P95"]
CLAIMS = [*WHO, *SEEN, "attempts that conflicted", "the guide says"]
BOOTS = [*WHO, *SEEN, "virtual P95 to live", "load before", "verdict"]


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def page(rows: list[dict[str, Any]]) -> str:
    lines = [
        "# Load, in figures",
        "",
        "Written by `python benchmarks/load_shapes.py --publish`, on "
        f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, one run "
        "each. Everything shares the cores: the API, the BMCs, three managers and Locust; where "
        "one of these could not keep up the verdict says so. In virtual time processing takes no "
        "time, so what is longer live is what these cores needed for all of it: with 200 at once, "
        "most of it. Times are of the API's log, and beside them those that "
        "Locust's users saw, who count from their request to their own news.",
        "",
        "## From a machine's creation to its claim, in milliseconds",
        "",
        *table(CLAIMS, [claims(found) for found in rows]),
        "",
        "## From a machine's creation to Provisioned, in seconds",
        "",
        "The guide gives no figures for these. Load is the system's when the live run began.",
        "",
        *table(BOOTS, [boots(found) for found in rows]),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--machines", default="10,50,100,200", help="default: 10,50,100,200")
    parser.add_argument("--publish", action="store_true", help="write docs/load-figures.md")
    args = parser.parse_args()
    rows = []
    for mode in MODES:
        for machines in map(int, args.machines.split(",")):
            rows.append(row(machines, mode))
            print(" | ".join(claims(rows[-1]) + boots(rows[-1])[2:]), flush=True)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    if args.publish:
        PAGE.write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
