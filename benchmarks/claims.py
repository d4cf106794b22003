"""Claims under contention: machines that come at once on 1.2 times as many hosts.

By hand: ``python benchmarks/claims.py [--full] [--clock live] [--publish]``. In virtual time with 3
managers (5 with ``--full``, and 1000 machines), each algorithm in three modes: standard (one
manager leads and claims), leader (claims are handed to the claim leader), and shards (every manager
claims for its share of the machines from the same hosts: the contention between processes that an
algorithm has to cope with). Then whether the calls of a claim grow with the fleet; then live, with
5 managers as real processes. The provisioning queue is drained, so that only claims are measured.
Conflicts and times are from the API's log of writes, calls from the API port of the managers (live:
writes only, from the log). A claim's calls are all about machines, claims and hosts, without what
provisioning makes of them (the hosts' status). Prints the goals beside the figures, writes
out/bench/claims.json; ``--publish`` also docs/claims-figures.md.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
from pathlib import Path
from typing import Any

from claim_storms import live

from scenarios.storms.virtual import FLAGS, virtual

ROOT = Path(__file__).parents[1]
OUT = ROOT / "out/bench/claims.json"
PAGE = ROOT / "docs/claims-figures.md"
ALGORITHMS = ("deterministic", "first-available", "upstream")
GOALS: dict[tuple[str, int], tuple[float, float | None]] = {
    ("leader", 50): (0.0, 0.5),
    ("standard", 50): (0.05, None),
    ("standard", 200): (0.10, None),
}
"""Mode and machines -> (largest conflict ratio, largest P95 in seconds when live)."""


def goal(row: dict[str, Any]) -> str:
    """What the row had to reach, and whether it did. Two algorithms are there to be compared."""
    found = GOALS.get((row["mode"], row["machines"]))
    if found is None or row["algorithm"] != "deterministic":
        return ""
    ratio, p95 = found
    text, held = f"conflicts <= {ratio:.0%}", row["conflict_ratio"] <= ratio
    if p95 is not None and row["clock"] == "live":
        text += f", P95 < {p95:g} s"
        held = held and row["p95"] < p95
    return f"{text}: {'held' if held else 'MISSED'}"


def show(row: dict[str, Any]) -> None:
    print(
        f"{row['clock']:<8}{row['mode']:<9}{row['algorithm']:<16}{row['machines']:>5}"
        f"{row['hosts']:>7}{row['claims_per_second']:>9.0f}{1000 * row['p50']:>8.0f}"
        f"{1000 * row['p95']:>8.0f}{1000 * row['p99']:>8.0f}{row['conflict_ratio']:>10.1%}"
        f"{row['calls_per_claim']:>8.2f}  {goal(row)}",
        flush=True,
    )


def take(rows: list[dict[str, Any]], row: dict[str, Any]) -> dict[str, Any]:
    rows.append(row)
    show(row)
    return row


def virtual_storms(full: bool) -> list[dict[str, Any]]:
    """All rows in virtual time, each shown when it is there."""
    rows: list[dict[str, Any]] = []
    managers = 5 if full else 3
    for machines in (50, 200, 1000) if full else (50, 200):
        for mode in FLAGS:
            for algorithm in ALGORITHMS:
                hosts = machines * 6 // 5
                take(rows, virtual(mode, algorithm, machines, hosts=hosts, managers=managers))
    for mode in ("standard", "leader"):
        fleets = [
            take(rows, virtual(mode, "deterministic", 50, hosts=n, managers=3))
            for n in (100, 10_000)
        ]
        small, large = (row["calls_per_claim"] for row in fleets)
        held = "held" if large <= small * 1.02 else "MISSED"
        print(f"  {mode}: calls per claim {small:.2f} at 100 hosts, {large:.2f} at 10,000: {held}")
    return rows


def live_storms(full: bool) -> list[dict[str, Any]]:
    """All rows on real sockets, each shown when it is there."""
    rows: list[dict[str, Any]] = []
    for machines in (50, 200) if full else (50,):
        for mode in ("standard", "leader"):
            for algorithm in ALGORITHMS if full else ALGORITHMS[:1]:
                take(rows, live(mode, algorithm, machines))
    return rows


def page(rows: list[dict[str, Any]]) -> str:
    """docs/claims-figures.md."""
    lines = [
        "# Claims under contention",
        "",
        "Written by `python benchmarks/claims.py --full --publish`, on "
        f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}. "
        "Machines that come at once on 1.2 times as many hosts, 5 managers. What the modes and "
        "columns mean is said at the head of that file; a load is the system's when a live storm "
        "was over, where 2 is what this machine can do.",
        "",
        "| Clock | Mode | Algorithm | Machines | Hosts | Claims/s | P50 ms | P95 ms | P99 ms "
        "| Conflicts | Calls a claim | Load | Goal |",
        "|" + "---|" * 13,
    ]
    for row in rows:
        load = f"{row['load']:.1f}" if "load" in row else ""
        lines.append(
            f"| {row['clock']} | {row['mode']} | {row['algorithm']} | {row['machines']} "
            f"| {row['hosts']} | {row['claims_per_second']:.0f} | {1000 * row['p50']:.0f} "
            f"| {1000 * row['p95']:.0f} | {1000 * row['p99']:.0f} | {row['conflict_ratio']:.1%} "
            f"| {row['calls_per_claim']:.2f} | {load} | {goal(row)} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="also 1000 machines, 5 managers")
    parser.add_argument(
        "--clock",
        choices=("virtual", "live"),
        help="only this one; the other's rows stay as the last run left them",
    )
    parser.add_argument("--publish", action="store_true", help="write docs/claims-figures.md")
    args = parser.parse_args()
    logging.disable(logging.ERROR)
    print(
        f"{'clock':<8}{'mode':<9}{'algorithm':<16}{'mach.':>5}{'hosts':>7}{'claims/s':>9}"
        f"{'p50 ms':>8}{'p95 ms':>8}{'p99 ms':>8}{'conflicts':>10}{'calls':>8}  goal"
    )
    known = json.loads(OUT.read_text(encoding="utf-8")) if args.clock and OUT.exists() else []
    rows: list[dict[str, Any]] = []
    for clock, storms in (("virtual", virtual_storms), ("live", live_storms)):
        if args.clock in (None, clock):
            rows += storms(args.full)
        else:
            rows += [row for row in known if row["clock"] == clock]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    if args.publish:
        PAGE.write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
