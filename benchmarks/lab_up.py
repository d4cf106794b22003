"""How long a lab of processes takes to be up, and to be down again.

By hand: ``python benchmarks/lab_up.py [--labs 5]``. A session plays labs one after another, as the
pytest plugin does: its first lab with all imports, of this process and of the lab's, then others.
Up is when every host is Available. Sessions are played with processes that are forked from one
that has imported what they need, and with an interpreter for each. Each figure stands also as a
ratio to the baseline of the same run: one interpreter that starts and imports the same modules.
Prints medians, writes out/bench/lab_up.json. Wall time is what it is on a busy machine: no bounds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from emulator.forking import client as forking
from emulator.forking.request import PRELOADS

OUT = Path(__file__).parents[1] / "out/bench/lab_up.json"
SHAPES = ((3, 1), (20, 2))
"""Hosts and managers."""
WAYS = ("forked", "own interpreters")
BASELINES = 3
LIMIT = 600.0
"""Seconds for one session."""


def baseline() -> float:
    """Seconds that an interpreter takes for what each lab's processes import."""
    imports = "\n".join(f"import {name}" for names in PRELOADS.values() for name in names)
    spans = []
    for _ in range(BASELINES):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", imports], check=True, stderr=subprocess.DEVNULL)
        spans.append(time.perf_counter() - began)
    return statistics.median(spans)


def session(way: str, hosts: int, managers: int, labs: int) -> list[tuple[float, float]]:
    """Seconds of each lab until it was up, and down; to be called once in a process."""
    began = time.perf_counter()
    if way == WAYS[0]:
        forking.prepare()
    else:
        forking.forbid()
    from beskar7_harness.lab import open_lab

    spans = []
    for _ in range(labs):
        with open_lab(hosts=hosts, managers=managers, clock="live"):
            up = time.perf_counter()
        down = time.perf_counter()
        spans.append((up - began, down - up))
        began = down
    return spans


def play(way: str, hosts: int, managers: int, labs: int) -> list[tuple[float, float]]:
    """A session in a process of its own."""
    words = [sys.executable, __file__, "--session", way, str(hosts), str(managers)]
    done = subprocess.run(
        [*words, "--labs", str(labs)], stdout=subprocess.PIPE, check=True, timeout=LIMIT
    )
    return [(up, down) for up, down in json.loads(done.stdout)]


def rows(labs: int, unit: float) -> list[dict[str, Any]]:
    """One for each shape and way, shown when it is there."""
    found = []
    print(f"{'hosts':>5}{'managers':>10}  {'processes':<18}{'first':>8}{'later':>8}{'down':>8}")
    for hosts, managers in SHAPES:
        for way in WAYS:
            spans = play(way, hosts, managers, labs)
            first, later = spans[0][0], statistics.median(up for up, _ in spans[1:])
            down = statistics.median(down for _, down in spans)
            print(f"{hosts:>5}{managers:>10}  {way:<18}{first:>7.2f}s{later:>7.2f}s{down:>7.2f}s")
            print(f"{'':>17}{'of the baseline':<18}", end="")
            print("".join(f"{span / unit:>8.2f}" for span in (first, later, down)), flush=True)
            row = {"hosts": hosts, "managers": managers, "processes": way}
            found.append(row | {"first": first, "later": later, "down": down, "labs": spans})
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labs", type=int, default=5, help="of each session, at least 2")
    parser.add_argument("--session", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.labs < 2:
        parser.error(f"--labs: at least 2, not {options.labs}")
    if options.session:
        way, hosts, managers = options.session
        print(json.dumps(session(way, int(hosts), int(managers), options.labs)))
        return 0
    unit = baseline()
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}; baseline {unit:.2f} s")
    result = {"baseline": unit, "cores": os.cpu_count(), "rows": rows(options.labs, unit)}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
