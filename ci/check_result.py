"""Checks the ``result.json`` and ``report.html`` that a scenario run left in a directory.

    ci/check_result.py [DIR]        DIR is out/demo unless given

Exits 0 when the run held, 1 with one line per shortcoming otherwise.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

REQUIRED: dict[str, type | tuple[type, ...]] = {
    "scenario": str,
    "clock": str,
    "seed": int,
    "passed": bool,
    "checks": list,
    "invariants": dict,
    "metrics": dict,
    "wall_seconds": (int, float),
    "virtual_seconds": (int, float),
}
NOT_JUDGED = "not judged"
"""Outcome of a check on speed when the harness itself was too slow to measure by."""


def shortcomings(result: Any) -> list[str]:
    """Everything that is missing from a result or that did not hold."""
    if not isinstance(result, dict):
        return ["result.json is not a JSON object"]
    found = []
    for field, kind in REQUIRED.items():
        if field not in result:
            found.append(f"field {field} is missing")
        elif not isinstance(result[field], kind) or (
            kind is not bool and isinstance(result[field], bool)
        ):
            found.append(f"field {field} has the wrong type: {result[field]!r:.80}")
    if found:
        return found
    if result["passed"] is not True:
        found.append("passed is not true")
    for name in ("checks", "invariants", "metrics"):
        if not result[name]:
            found.append(f"{name} is empty: nothing was judged")
    for name, invariant in result["invariants"].items():
        if not isinstance(invariant, dict) or invariant.get("verdict") != "held":
            found.append(f"invariant {name} did not hold: {json.dumps(invariant)[:300]}")
    for check in result["checks"]:
        if not isinstance(check, dict) or check.get("outcome") not in ("passed", NOT_JUDGED):
            found.append(f"check did not pass: {json.dumps(check)[:300]}")
    return found


def unjudged(result: dict[str, Any]) -> list[str]:
    """Checks without a verdict, with the reason: where the harness was the bottleneck."""
    return [
        f"{check['measure']}: {check.get('reason') or result.get('bottleneck') or 'no reason'}"
        for check in result["checks"]
        if check["outcome"] == NOT_JUDGED
    ]


def inspect(directory: Path) -> list[str]:
    """The shortcomings of one report directory."""
    path = directory / "result.json"
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        return [f"{path} cannot be read: {error.strerror}"]
    except ValueError as error:
        return [f"{path} is not JSON: {error}"]
    found = shortcomings(result)
    report = directory / "report.html"
    if not report.is_file() or "<html" not in report.read_text(encoding="utf-8")[:4096].lower():
        found.append(f"{report} is missing or is not an HTML page")
    return found


def main(argv: list[str]) -> int:
    directory = Path(argv[1] if len(argv) > 1 else "out/demo")
    found = inspect(directory)
    for line in found:
        print(f"{directory}: {line}", file=sys.stderr)
    if not found:
        result = json.loads((directory / "result.json").read_text(encoding="utf-8"))
        print(
            f"{directory}: passed, {len(result['invariants'])} invariants held, "
            f"{len(result['checks'])} checks made"
        )
        for line in unjudged(result):
            print(f"{directory}: not judged: {line}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
