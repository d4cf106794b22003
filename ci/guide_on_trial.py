"""Puts the troubleshooting guide on trial, and writes docs/guide-on-trial.md and .html.

    ci/guide_on_trial.py                     writes the pages from the results that are kept
    ci/guide_on_trial.py --check             exit 1 when the pages are not up to date
    ci/guide_on_trial.py --claims            plays what is missing of the claims' experiments
    ci/guide_on_trial.py --blocks GUIDE.md   runs the guide's command blocks on a lab

``--only ID`` takes one claim (by id) or block (by number); ``--again`` plays it though its results
are there. Results are kept in docs/guide-on-trial.json as soon as they are there, so a trial that
is broken off goes on where it was. Claims take about a quarter of an hour of one core in all, and
blocks as long, most of it waiting. Exit codes: 0 done, 1 the pages or a block fell short, 2 bad
input, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from guidetrial import blockrun, blocks, catalogue, page, players  # noqa: E402 # found above
from guidetrial.kept import Figures, Results, code_state  # noqa: E402 # found above
from guidetrial.model import Claim  # noqa: E402 # found above


class InputError(Exception):
    """What was asked for does not exist; for the user's eyes."""


def say(text: str) -> None:
    print(text, flush=True)


def chosen_claims(only: str | None) -> list[Claim]:
    """Raises InputError."""
    found = [each for each in catalogue.CLAIMS if only in (None, each.id)]
    if not found:
        ids = ", ".join(each.id for each in catalogue.CLAIMS)
        raise InputError(f"--only {only}: no such claim; there are {ids}")
    return found


def play_claims(results: Results, only: str | None, again: bool) -> None:
    """Raises InputError; RuntimeError when a run itself fell short."""
    names = dict.fromkeys(
        name for claim in chosen_claims(only) for name in catalogue.rests_on(claim)
    )
    experiments = [catalogue.EXPERIMENTS[name] for name in names if name in catalogue.EXPERIMENTS]
    if again:
        for each in experiments:
            results.experiments.pop(each.name, None)
    players.play_missing(experiments, results, code_state(), say)
    results.keep_only(catalogue.EXPERIMENTS)
    results.save()


def show_claim(results: Results, only: str) -> None:
    """What a single claim came to, in the terminal."""
    wrong: list[str] = []
    figures = Figures(results, catalogue.SUMS)
    for claim in chosen_claims(only):
        seen = page.claim_view(claim, results, figures, wrong)
        say(f"{claim.id}: {seen['verdict']}")
        for part in seen["parts"]:
            say(f"  {part['mark']} {part['says']}: {part['figure']} {part['bound']}")


def run_blocks(results: Results, guide: Path, only: str | None) -> int:
    """How many fell short. Raises GuideError and InputError."""
    pairs = blocks.match(blocks.read_guide(guide), blocks.read_expected())
    if only is not None:
        pairs = [pair for pair in pairs if str(pair[0].number) == only]
        if not pairs:
            raise InputError(f"--only {only}: no such block; they are numbered from 0")
    fell_short = 0
    with blockrun.lab() as environment:
        for done in blockrun.run_blocks(pairs, environment):
            results.blocks[str(done.block.number)] = done.to_json()
            results.save()
            fell_short += bool(done.shortfalls)
            told = "; ".join(done.shortfalls) or done.expected.result
            say(f"block {done.block.number} ({done.block.heading}), {done.seconds:.0f} s: {told}")
    return fell_short


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--claims", action="store_true")
    parser.add_argument("--blocks", type=Path, metavar="GUIDE.md")
    parser.add_argument("--only", metavar="ID")
    parser.add_argument("--again", action="store_true")
    args = parser.parse_args(arguments)
    results = Results()
    if args.check:
        wrong = page.stale(results)
        print(*wrong, sep="\n", end="\n" if wrong else "")
        return 1 if wrong else 0
    try:
        if args.claims:
            play_claims(results, args.only, args.again)
            if args.only:
                show_claim(results, args.only)
        fell_short = run_blocks(results, args.blocks, args.only) if args.blocks else 0
        page.write(results)
    except (InputError, blocks.GuideError) as error:
        print(error, file=sys.stderr)
        return 2
    except (RuntimeError, page.StaleError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 1 if fell_short else 0


if __name__ == "__main__":
    sys.exit(main())
