"""The fleet beside stock sushy-tools, in one run: GETs, provision sequences, memory, start.

By hand: ``python benchmarks/fleet.py [--seconds 3] [--quick]``. Each ratio is printed beside its
goal. Every request is on a connection of its own, as sushy does it; the load client is a process
of its own, and a row says so where the client, not the server, was the limit. Only ratios say
something on another machine. On a busy one no server gets to its limit, and the ratio of processor
time per request is judged in the place of the rates'.

Stock is slow at many systems and many connections: its load is bounded by time as ours is, and
what it had not answered by then counts neither way.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from fleets import Target, ours, stock
from loadclient import Report

CONNECTIONS = 16
BUSY = 0.85
"""Share of a core above which a process counts as the limit."""
SPREAD = 1000
"""BMCs that GETs go to, out of many; so many are also read once before."""


@dataclass
class Row:
    name: str
    rate: float
    unit: str
    p50: float
    p99: float
    processor: float
    """Microseconds of the server for a request."""
    server: float
    client: float
    """Shares of one core."""
    errors: str


def load(
    target: Target,
    targets: list[list[tuple[str, int, str]]],
    clients: int,
    seconds: float,
    per: int,
    name: str,
    unit: str,
) -> Row:
    """``per`` requests count as one ``unit``."""
    used = target.processor()
    job = {"targets": targets, "clients": clients, "seconds": seconds}
    client = Path(__file__).with_name("loadclient.py")
    done = subprocess.run(
        [sys.executable, str(client)],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 60,
    )
    report = Report(**json.loads(done.stdout))
    used = target.processor() - used
    asked = report.answered + sum(report.errors.values())
    errors = ", ".join(f"{count} x {what}" for what, count in report.errors.items()) or "none"
    return Row(
        name,
        report.answered / per / report.seconds,
        unit,
        report.p50,
        report.p99,
        used / max(1, asked) * 1e6,
        used / report.seconds,
        report.processor / report.seconds,
        errors,
    )


def gets(target: Target, name: str, seconds: float) -> Row:
    reads = [[target.get(i)] for i in range(min(SPREAD, len(target.bmcs)))]
    load(target, reads, CONNECTIONS, 1.0, 1, "", "")
    return load(target, reads, CONNECTIONS, seconds, 1, name, "GET/s")


def sequences(target: Target, clients: int, name: str, seconds: float) -> Row:
    """Clients begin at different steps: who gets through a part only is judged by all the same."""
    work = []
    for index in range(len(target.bmcs)):
        steps = target.sequence(index)
        turn = index % len(steps)
        work.append(steps[turn:] + steps[:turn])
    return load(target, work, clients, seconds, 11, name, "sequences/s")


def show(row: Row) -> Row:
    limit = "" if row.client < BUSY or row.server >= BUSY else "  (the client was the limit)"
    print(
        f"  {row.name:34} {row.rate:8.1f} {row.unit:11} p50 {row.p50 * 1e3:7.1f} ms"
        f"  p99 {row.p99 * 1e3:8.1f} ms  {row.processor:6.0f} us/request"
        f"  server {row.server:4.0%}, client {row.client:4.0%}  errors {row.errors}{limit}",
        flush=True,
    )
    return row


def compare(what: str, mine: Row, theirs: Row, goal: float) -> None:
    """By the rates, where both servers were at their limit; else by processor time a request."""
    by_rate = mine.rate / max(theirs.rate, 1e-9)
    by_processor = theirs.processor / max(mine.processor, 1e-9)
    limited = min(mine.server, theirs.server) >= BUSY
    ratio = by_rate if limited else by_processor
    met = "met" if ratio >= goal else "NOT met"
    how = "by rate" if limited else "by processor time, as not both servers were at their limit"
    print(
        f"  => {what}: {by_rate:.1f} x stock's rate, {by_processor:.1f} x less processor time;"
        f" goal {goal:g} x: {met} ({how})",
        flush=True,
    )


def bench_gets(sizes: list[int], seconds: float) -> None:
    for size in sizes:
        print(f"System GET, {size} BMCs, {CONNECTIONS} clients")
        with stock(size) as target:
            theirs = show(gets(target, "stock sushy-tools", seconds))
        with ours(size) as target:
            kept = show(gets(target, "fleet, through the cache", seconds))
        with ours(size, "--no-cache") as target:
            made = show(gets(target, "fleet, past the cache", seconds))
        compare("through the cache", kept, theirs, 20)
        compare("past the cache", made, theirs, 10)


def bench_sequences(clients: list[int], seconds: float) -> None:
    for count in clients:
        print(f"Provision sequence (11 requests), {count} at once, as many BMCs")
        with stock(count) as target:
            theirs = show(sequences(target, count, "stock sushy-tools", 4 * seconds))
        with ours(count) as target:
            mine = show(sequences(target, count, "fleet", 2 * seconds))
        compare(f"sequence at {count}", mine, theirs, 16)
        if mine.errors != "none":
            print(f"  => errors: {mine.errors}, goal none: NOT met")


def bench_shards(seconds: float) -> None:
    print("Shards, 1000 BMCs, past the cache (a machine of two cores has one for the client)")
    rates = []
    for count in (1, 2):
        with ours(1000, "--no-cache", "--shards", str(count)) as target:
            rates.append(show(gets(target, f"fleet, {count} shard(s)", seconds)))
    print(f"  => 2 shards: {rates[1].rate / rates[0].rate:.2f} x the requests of 1")


def bench_size(size: int) -> None:
    print(f"Memory and start, {size} BMCs")
    for name, start in (("stock sushy-tools", stock), ("fleet", ours)):
        small, _, first = weigh(start(1))
        idle, read, up = weigh(start(size))
        each, after = (idle - small) / (size - 1), (read - small) / (size - 1)
        print(
            f"  {name:20} {each:5.1f} KB a BMC, {after:5.1f} KB once {min(SPREAD, size)} were read"
            f"; first answer after {up:.2f} s, {up - first:.2f} s more than with one",
            flush=True,
        )
    print(f"  => memory: {after:.1f} KB a BMC, goal 8: {'met' if after < 8 else 'NOT met'}")
    more = up - first
    print(
        f"  => {size} BMCs up: {more:.2f} s, goal 1 (beside the interpreter's own start of "
        f"{first:.2f} s): {'met' if more < 1 else 'NOT met'}"
    )


def weigh(started: AbstractContextManager[Target]) -> tuple[float, float, float]:
    """Resident KB before and after all were read once; seconds to the first answer."""
    with started as target:
        idle = target.memory()
        reads = [[target.get(i)] for i in range(min(SPREAD, len(target.bmcs)))]
        load(target, reads, CONNECTIONS, 4.0, 1, "", "")
        return idle, target.memory(), target.first_answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each load")
    parser.add_argument("--only", choices=("gets", "sequences", "size", "shards"))
    parser.add_argument("--quick", action="store_true", help="small sizes only")
    args = parser.parse_args()
    parts = {
        "gets": lambda: bench_gets(
            [1, 100] if args.quick else [1, 100, 1000, 10_000], args.seconds
        ),
        "sequences": lambda: bench_sequences(
            [1, 10] if args.quick else [1, 10, 100, 1000], args.seconds
        ),
        "size": lambda: bench_size(1000 if args.quick else 10_000),
        "shards": lambda: bench_shards(args.seconds),
    }
    for name, part in parts.items():
        if args.only in (None, name):
            part()


if __name__ == "__main__":
    main()
