"""The same scenario in wall time and in virtual time, compared.

    ci/bench.py [SCENARIO]          claim-storm unless given

Runs it live once, in virtual time twice with one seed and once with another, prints the figures
as a table and keeps them in out/bench/bench.json. Exits 1 when a run fell short, when one seed
gave two traces, when two seeds gave one trace, or when virtual time took over a tenth of live.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

OUT = Path("out/bench")
SEED, OTHER_SEED = 7, 8
LARGEST_SHARE = 0.1
"""Virtual wall time over live wall time; the bound that issue 2 of the project sets."""

RUNS: dict[str, list[str]] = {
    "live": ["--clock", "live", "--seed", str(SEED)],
    "virtual": ["--clock", "virtual", "--seed", str(SEED)],
    "virtual again": ["--clock", "virtual", "--seed", str(SEED)],
    "virtual other seed": ["--clock", "virtual", "--seed", str(OTHER_SEED)],
}


def run(scenario: str, name: str, options: list[str]) -> dict[str, Any]:
    """One run; its ``result.json``, and whether the command itself said that it held."""
    report = OUT / name.replace(" ", "-")
    (report / "result.json").unlink(missing_ok=True)
    command = [str(Path(sys.executable).with_name("beskar7")), "run", scenario, *options]
    done = subprocess.run(
        [*command, "--report", str(report)], capture_output=True, text=True, check=False
    )
    try:
        result: dict[str, Any] = json.loads((report / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        sys.exit(f"{name}: exit {done.returncode} and no result.json\n{tail}")
    result["exit"] = done.returncode
    return result


def why(result: dict[str, Any]) -> str:
    """The checks and invariants that did not hold, to be put behind a statement."""
    checks = [
        f"{check['measure']} = {check['value']}"
        for check in result.get("checks", [])
        if check["outcome"] == "failed"
    ]
    broken = [
        name for name, item in result.get("invariants", {}).items() if item["verdict"] != "held"
    ]
    return f": {', '.join(checks + broken)}" if checks or broken else ""


def judge(results: dict[str, dict[str, Any]]) -> list[str]:
    """What does not hold between the runs."""
    found = [
        f"{name}: the run fell short (exit {result['exit']}){why(result)}"
        for name, result in results.items()
        if result["exit"] != 0 or result["passed"] is not True
    ]
    traces = {name: result.get("trace_hash") for name, result in results.items()}
    if not traces["virtual"] or traces["virtual"] != traces["virtual again"]:
        found.append(f"seed {SEED} gave two traces in two virtual runs")
    if traces["virtual"] == traces["virtual other seed"]:
        found.append(f"seeds {SEED} and {OTHER_SEED} gave the same trace")
    share = results["virtual"]["wall_seconds"] / results["live"]["wall_seconds"]
    if share > LARGEST_SHARE:
        found.append(f"virtual took {share:.1%} of the live wall time, over {LARGEST_SHARE:.0%}")
    return found


def main(argv: list[str]) -> int:
    scenario = argv[1] if len(argv) > 1 else "claim-storm"
    results: dict[str, dict[str, Any]] = {}
    print(f"{scenario:<20} {'held':<5} {'wall s':>8} {'world s':>8}  trace", flush=True)
    for name, options in RUNS.items():
        result = results[name] = run(scenario, name, options)
        world = result.get("virtual_seconds") or result["wall_seconds"]
        trace = (result.get("trace_hash") or "-")[:16]
        passed = "yes" if result["passed"] else "no"
        print(
            f"{name:<20} {passed:<5} {result['wall_seconds']:>8.2f} {world:>8.1f}  {trace}",
            flush=True,
        )
    (OUT / "bench.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    found = judge(results)
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
