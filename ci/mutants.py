"""Whether the net catches fish: how many seeds until each planted defect is found.

By hand: ``python ci/mutants.py [--starts 1,501] [--most 200] [--minutes M] [--only NAME]``; the
full form is ``make mutants``. Each defect of ``tests/sim/mutants/*.yaml`` is planted in turn, and
the swarm's seeds are played from each starting point on until one fails with the defect and holds
without it. Prints a table, and exits 1 when a defect was not found.

With ``--minutes`` no further hunt begins after that time; what was left out is said, and is no
failure. The starting points come one after the other for all defects.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/sim/mutants"))

from hunting import Catch, hunt  # noqa: E402 # found by the line above
from planting import mutants  # noqa: E402


def chase(name: str, start: int, most: int, until: float) -> Catch | None:
    """None: the time was over before."""
    if time.monotonic() >= until:
        return None
    return hunt(mutants()[name], start, most)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--starts", default="1", help="first seeds, by commas (default 1)")
    parser.add_argument("--most", type=int, default=200, help="seeds a hunt (default 200)")
    parser.add_argument("--minutes", type=float, default=None, help="begin no hunt after")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="defects, by commas")
    args = parser.parse_args()
    known = mutants()
    names = [name for name in args.only.split(",") if name] or list(known)
    if unknown := [name for name in names if name not in known]:
        parser.error(f"--only: no defect {unknown[0]}; there are: {', '.join(known)}")
    starts = [int(start) for start in args.starts.split(",")]
    began = time.monotonic()
    until = float("inf") if args.minutes is None else began + 60 * args.minutes
    caught: dict[str, list[Catch]] = {name: [] for name in names}
    left_out = 0
    with ProcessPoolExecutor(args.jobs) as pool:
        hunts = [
            pool.submit(chase, name, start, args.most, until) for start in starts for name in names
        ]
        try:
            for done in as_completed(hunts):
                catch = done.result()
                if catch is None:
                    left_out += 1
                    continue
                caught[catch.mutant].append(catch)
                _progress(len(hunts), sum(map(len, caught.values())) + left_out, catch)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return _report(caught, known, left_out, time.monotonic() - began)


def _progress(of: int, done: int, catch: Catch) -> None:
    what = catch.found if catch.caught else "NOT FOUND"
    print(
        f"{done}/{of} {catch.mutant} from {catch.start}: {catch.seeds} seeds; {what[:100]}",
        file=sys.stderr,
        flush=True,
    )


def _report(caught: dict[str, list[Catch]], known, left_out: int, seconds: float) -> int:
    missed = 0
    print(f"{'planted defect':<40} {'seeds to detection':<24} {'median':>6}  found by")
    for name, catches in caught.items():
        catches.sort(key=lambda catch: catch.start)
        seeds = " ".join(str(c.seeds) if c.caught else f">{c.seeds}" for c in catches)
        missed += any(not catch.caught for catch in catches)
        middle = f"{median(c.seeds for c in catches):g}" if catches else "-"
        by = next((c.found for c in catches if c.caught), "")
        print(f"{name:<40} {seeds or 'left out':<24} {middle:>6}  {by.split(' violated')[0][:60]}")
    played = sum(catch.seeds for catches in caught.values() for catch in catches)
    print(
        f"{len(caught)} defects, {missed} not found; {played} seeds in {seconds:.0f} s"
        + (f"; {left_out} hunts left out for want of time" if left_out else "")
    )
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
