"""The tables of docs/fidelity.md, and whether they still hold.

Usage: python ci/fidelity_page.py [--check | --replay | --model]

Writes the tables from docs/fidelity.jsonl, the runs that `beskar7 fidelity` left. With --check it
only says whether the page is old. With --replay it plays the small set by the model and by the code
with the first seed, and says where an error is no longer the published one. With --model it plays
all that was published by the model anew, as after a change of that, and writes both files.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from markedpage import DOCS, main

from scenarios.engine.clocks import LEVELS
from scenarios.fidelity.columns import COLUMNS
from scenarios.fidelity.compare import Pair, pairs
from scenarios.fidelity.runs import Kept, Store, Task, play, print_of, read_runs
from scenarios.fidelity.scenarioset import SMALL, known, read
from scenarios.fidelity.show import markdown
from scenarios.models.calibration import Calibration

RUNS = DOCS / "fidelity.jsonl"
BEGIN, END = "<!-- tables: ci/fidelity_page.py -->\n", "<!-- end of tables -->\n"
TOLERANCE = 0.05
"""Of an error, in points, that it may be away from the published one."""
CLAIM_TOLERANCE = 0.25
"""The same of times to claim, which are some milliseconds: a tenth of one is much there."""
SEED = 1


def tables() -> str:
    runs = read_runs(RUNS)
    levels = [level for level in LEVELS if any(run.level == level for run in runs)]
    return "\n" + "\n".join(markdown(pairs(runs, levels))) + "\n"


def replay(names: Sequence[str] = SMALL, runs: Path = RUNS) -> list[str]:
    """Where the errors of the model against the code are others than the published ones."""
    published = [run for run in read_runs(runs) if run.seed == SEED and run.scenario in names]
    fresh: list[Kept] = []
    said = []
    for name in names:
        scenario = read(name)
        if any(r.scenario == name and r.scenario_print != print_of(scenario) for r in published):
            said.append(f"{name}: changed since its runs were published")
        for level in ("model", "code"):
            fresh.append(play(Task(scenario, level, SEED, Calibration())))
            said += [f"{name}, {level}: {short}" for short in fresh[-1].shortfalls]
    (old,), (new,) = (pairs(found, ("model", "code")) for found in (published, fresh))
    return [*said, *differences(old, new)]


def differences(old: Pair, new: Pair) -> Iterator[str]:
    """In words, one for each cell that is further away than it may be."""
    known = {row.scenario: row for row in old.rows}
    for row in new.rows:
        for column in COLUMNS:
            cells = (known[row.scenario].cells if row.scenario in known else {}), row.cells
            was, now = (own.get(column.measure) for own in cells)
            if was is None and now is None:
                continue
            if was is None or now is None:
                yield f"{row.scenario}, {column.title}: {'not published' if now else 'is gone'}"
                continue
            allowed = CLAIM_TOLERANCE if "claim" in column.measure else TOLERANCE
            if abs(now.error.mean - was.error.mean) > allowed:
                errors = f"{now.error.mean:+.1%}, published {was.error.mean:+.1%}"
                yield f"{row.scenario}, {column.title}: {errors}, tolerance {allowed:.0%}"


def play_model() -> None:
    """The model's runs anew; those of the code, live or not, stay."""
    store = Store(RUNS)
    names = known()
    for run in list(store.kept.values()):
        if run.level == "code" and run.scenario in names:
            store.add(play(Task(read(run.scenario), "model", run.seed, Calibration())))
    store.tidy({name: print_of(read(name)) for name in names})


if __name__ == "__main__":
    if "--model" in sys.argv[1:]:
        play_model()
    if "--replay" in sys.argv[1:]:
        found = replay()
        for line in found:
            print(f"docs/fidelity.md does not hold: {line}")
        if found:
            print("the model changed for the better? python ci/fidelity_page.py --model")
        sys.exit(1 if found else 0)
    sys.exit(main("fidelity.md", BEGIN, END, tables))
