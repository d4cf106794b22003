"""A page with a plot of each kind."""

from __future__ import annotations

import pytest

from scenarios.pages.content import (
    Axis,
    Code,
    Figure,
    Mark,
    Page,
    Plot,
    Section,
    Series,
    Table,
    Value,
    Verdict,
)

COMMAND = "beskar7 plan racks.yaml --seed 1"
XS = [1.0, 4.0, 16.0, 64.0]


def plots() -> list[Plot]:
    """One of each kind, in the order of their names in the page."""
    ys = [2.0, 3.5, 6.0, 20.0]
    low, high = [y * 0.9 for y in ys], [y * 1.2 for y in ys]
    names = ["half the workers", "no spare hosts"]
    samples = [0.1 * n for n in range(1, 101)]
    machines = Axis("machines at once", "count", "log")
    seconds = Axis("P95 time to claim", "seconds")
    return [
        Plot(
            "Crossover",
            machines,
            seconds,
            [
                Series("standard", XS, ys, low, high, [20] * 4),
                Series("leader-elected", XS, [3.0, 3.2, 4.0, None]),
            ],
            marks=[Mark(5.0, "objective"), Mark(16.0, "crossover", "x", "plain")],
        ),
        Plot("Growth", Axis("time", "seconds"), seconds, [Series("claimed", XS, ys)], "step"),
        Plot("Errors", machines, seconds, [Series("model", XS, ys, low, high)], "points"),
        Plot(
            "Sensitivity",
            Axis("change"),
            seconds,
            [
                Series("model", names, [9.0, 7.0], [8.0, 6.0], [11.0, 8.0]),
                Series("code", names, [9.5, 7.5]),
            ],
            "bars",
        ),
        Plot("Waits", seconds, Axis(""), [Series("a", samples), Series("b", [5.0])], "ecdf"),
        Plot("Spread", seconds, Axis(""), [Series("claims", samples)], "distribution"),
        Plot(
            "Grid",
            Axis("cooldown"),
            Axis("workers"),
            [Series(n, ["0s", "10s"], [float(n), None]) for n in ("1", "2", "4")],
            "heat",
            value=seconds,
        ),
    ]


@pytest.fixture
def sample_plots() -> list[Plot]:
    return plots()


def page() -> Page:
    """One with all that a page can have."""
    seeds = "seeds 1 to 20"
    return Page(
        title="Plan",
        question="How many workers keep P99 under 15 minutes?",
        answer="Twelve, with `6` spare hosts.",
        verdict=Verdict("Objective met", "good"),
        seed=seeds,
        command=COMMAND,
        figures=[
            Figure("P99 ready", 800.0, seeds, COMMAND, "seconds", 780.0, 821.0),
            Figure("workers", 12.0, seeds, COMMAND, "count", note="exact"),
        ],
        sections=[
            Section("Plots", "First.\n\nSecond.", plots()),
            Section(
                "Settings",
                tables=[
                    Table(["Setting", "P99"], [["workers", Value(800.0, "seconds", 780.0, 820.0)]])
                ],
                codes=[Code("ConfigMap", "provisioning.workerCount: 12")],
            ),
        ],
        made="two cores, 41 s",
    )


@pytest.fixture
def sample_page() -> Page:
    return page()
