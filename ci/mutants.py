"""Whether the net catches fish: how many seeds of the swarm until each planted defect is found.

By hand: ``python ci/mutants.py [--minutes M] [--least N] [--only NAMES]``; the full form, which
also writes ``tests/sim/mutants/found.yaml`` and the table of docs/mutants.md, is ``make mutants``.

Each defect of ``tests/sim/mutants/*.yaml`` is planted in turn, and seeds are played from each
starting point on until one fails with the defect and holds without it. The short form first plays
the seeds that are on record; a defect that is not found there is hunted anew. With ``--minutes``
nothing is begun after that time, and what was not found by then is said to be open. Exits 1 when a
defect was found from no start in ``--most`` seeds, or fewer than ``--least`` were found at all.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import joblib
import yaml

from beskar7.runtime import LiveRuntime

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "tests/sim/mutants"
RECORD = HERE / "found.yaml"
PAGE = ROOT / "docs/mutants.md"
BEGIN, END = "<!-- table: ci/mutants.py -->\n", "<!-- end -->\n"
sys.path.insert(0, str(HERE))

from planting import mutants  # noqa: E402 # found by the line above

Hunt = tuple[str, int]
"""A defect's name and the first seed."""


def play(hunt: Hunt, seed: int) -> tuple[Hunt, int, str, str]:
    """What the seed falls short of with the defect, and what without one. Runs in a worker."""
    sys.path.insert(0, str(HERE))
    from hunting import Unsound, found_at

    try:
        return hunt, seed, found_at(hunt[0], seed), ""
    except Unsound as unsound:
        return hunt, seed, "", str(unsound)


class Chase:
    """All hunts, seed by seed: what one seed's run without defect tells serves every defect."""

    def __init__(self, hunts: list[Hunt], most: int, until: float) -> None:
        self.hunts = hunts
        self.most = most
        self.caught: dict[Hunt, tuple[int, str]] = {}
        self.tried: dict[Hunt, int] = dict.fromkeys(hunts, 0)
        self.played = 0
        self.unsound: dict[int, str] = {}
        self._until = until
        self._now = LiveRuntime().now

    @property
    def over(self) -> bool:
        return self._now() >= self._until

    def by_record(self, record: dict[int, dict[str, int]]) -> Iterator[tuple[Hunt, int]]:
        for name, start in self.hunts:
            seed = record.get(start, {}).get(name)
            if seed is not None and not self.over:
                yield (name, start), seed

    def by_seed(self) -> Iterator[tuple[Hunt, int]]:
        for number in range(self.most):
            for hunt in self.hunts:
                if self.over:
                    return
                if hunt not in self.caught:
                    self.tried[hunt] = number + 1
                    yield hunt, hunt[1] + number

    def run(self, tasks: Iterator[tuple[Hunt, int]], jobs: int) -> None:
        calls = (joblib.delayed(play)(hunt, seed) for hunt, seed in tasks)
        pool = joblib.Parallel(
            n_jobs=jobs, pre_dispatch="n_jobs", batch_size=1, return_as="generator_unordered"
        )
        for hunt, seed, found, unsound in pool(calls):
            self.played += 1
            if unsound and seed not in self.unsound:
                self.unsound[seed] = unsound
                print(f"seed {seed} fails without a defect: {unsound}", file=sys.stderr, flush=True)
            # Seeds are begun in order, but do not end so.
            if found and seed < self.caught.get(hunt, (seed + 1, ""))[0]:
                self.caught[hunt] = seed, found
                said = f"{len(self.caught)}/{len(self.hunts)} {hunt[0]} at seed {seed}: {found}"
                print(said[:150], file=sys.stderr, flush=True)

    def seeds(self, hunt: Hunt) -> int | None:
        """How many seeds it took; None: not found."""
        return self.caught[hunt][0] - hunt[1] + 1 if hunt in self.caught else None


def table(chase: Chase) -> list[str]:
    """A Markdown table, a line for each defect; ``-`` where it was not found, or is open."""
    known = mutants()
    lines = [
        "| planted defect | what is wrong | seeds | median | found by |",
        "|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(name for name, _ in chase.hunts):
        hunts = [hunt for hunt in chase.hunts if hunt[0] == name]
        counts = [chase.seeds(hunt) for hunt in hunts]
        shown = ", ".join("-" if count is None else str(count) for count in counts)
        found = [count for count in counts if count is not None]
        by = {finder(chase.caught[hunt][1]) for hunt in hunts if hunt in chase.caught}
        middle = f"{median(found):g}" if found else "-"
        lines.append(
            f"| {name} | {known[name].wrong} | {shown} | {middle} | {', '.join(sorted(by))} |"
        )
    return lines


def finder(found: str) -> str:
    """The invariant that told, or how the run ended."""
    if found.startswith("the run ended "):
        return found.removeprefix("the run ended ").partition(":")[0]
    words = found.split()
    return words[0].rstrip(":") if words else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--starts", default="1", help="first seeds, by commas (default 1)")
    parser.add_argument("--most", type=int, default=200, help="seeds a hunt (default 200)")
    parser.add_argument("--minutes", type=float, default=None, help="begin nothing after")
    parser.add_argument("--least", type=int, default=0, help="defects that have to be found")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="defects, by commas")
    parser.add_argument("--write", action="store_true", help="hunt all anew; write record and page")
    args = parser.parse_args()
    names = [name for name in args.only.split(",") if name] or list(mutants())
    if unknown := [name for name in names if name not in mutants()]:
        parser.error(f"--only: no defect {unknown[0]}; there are: {', '.join(mutants())}")
    now = LiveRuntime().now
    began = now()
    until = float("inf") if args.minutes is None else began + 60 * args.minutes
    starts = [int(start) for start in args.starts.split(",")]
    chase = Chase([(name, start) for start in starts for name in names], args.most, until)
    if RECORD.exists() and not args.write:
        chase.run(chase.by_record(yaml.safe_load(RECORD.read_text())), args.jobs)
    chase.run(chase.by_seed(), args.jobs)
    print("\n".join(table(chase)))
    if args.write:
        write(chase)
    return report(chase, args.least, now() - began)


def report(chase: Chase, least: int, seconds: float) -> int:
    found = {name for name, _ in chase.caught}
    open_hunts = [hunt for hunt in chase.hunts if hunt not in chase.caught]
    missed = [hunt for hunt in open_hunts if chase.tried[hunt] >= chase.most]
    lost = [name for name, _ in missed if name not in found]
    print(f"\n{len(found)} defects found; {chase.played} runs in {seconds:.0f} s")
    for hunt in open_hunts:
        how = "NOT FOUND" if hunt in missed else "open, time is over"
        print(f"{hunt[0]} from seed {hunt[1]}: {how} after {chase.tried[hunt]} seeds")
    if chase.unsound:
        print(f"seeds that fail without a defect, and count for none: {sorted(chase.unsound)}")
    if len(found) < least:
        print(f"at least {least} have to be found")
    return 1 if lost or len(found) < least else 0


def write(chase: Chase) -> None:
    """The record of what was found, and the page's table."""
    record: dict[int, dict[str, int]] = {}
    for (name, start), (seed, _) in sorted(chase.caught.items()):
        record.setdefault(start, {})[name] = seed
    note = "# Seeds at which planted defects were found, by first seed. Made by `make mutants`.\n"
    RECORD.write_text(note + yaml.safe_dump(record))
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + "\n".join(table(chase)) + "\n" + END + after)


if __name__ == "__main__":
    raise SystemExit(main())
