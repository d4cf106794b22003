"""Colours that can be read and told apart, in both themes."""

from __future__ import annotations

from itertools import combinations

import pytest

from scenarios.pages.content import SERIES
from scenarios.pages.palette import COLOURS, HEAT_STEPS, channels, contrast

pytestmark = pytest.mark.unit

THEMES = pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
# Machado, Oliveira, Fernandes: IEEE TVCG 15 (2009), severity 1, in linear light.
BLINDNESS = {
    "none": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}


@THEMES
@pytest.mark.parametrize("ink", ["ink", "soft", "good", "bad", "warn", "accent"])
def test_text_has_the_contrast_of_aa(theme: int, ink: str) -> None:
    grounds = ["card", "bg", "shade"] if ink in ("ink", "soft") else ["card", "bg"]
    grounds += [f"{ink}-bg"] if f"{ink}-bg" in COLOURS else []
    for ground in grounds:
        assert contrast(COLOURS[ink][theme], COLOURS[ground][theme]) >= 4.5, ground


@THEMES
def test_series_and_cells_stand_off(theme: int) -> None:
    for name, pair in COLOURS.items():
        if name.startswith("series-"):
            assert contrast(pair[theme], COLOURS["card"][theme]) >= 3, name
    for step in range(HEAT_STEPS):
        ink, cell = COLOURS[f"heat-ink-{step}"][theme], COLOURS[f"heat-{step}"][theme]
        assert contrast(ink, cell) >= 4.5, step


@THEMES
@pytest.mark.parametrize("blindness", sorted(BLINDNESS))
def test_series_are_told_apart_by_all_eyes(theme: int, blindness: str) -> None:
    seen = {n: oklab(COLOURS[f"series-{n}"][theme], BLINDNESS[blindness]) for n in range(SERIES)}
    for one, other in combinations(seen, 2):
        apart = sum((a - b) ** 2 for a, b in zip(seen[one], seen[other], strict=True)) ** 0.5
        assert apart > (0.14 if other < 5 else 0.08), f"series {one} and {other}: {apart:.3f}"


def oklab(colour: str, sight: tuple[tuple[float, ...], ...]) -> tuple[float, float, float]:
    """As seen by those eyes, in Ottosson's space of even differences (2020)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels(colour)]
    r, g, b = (max(0.0, sum(m * c for m, c in zip(row, linear, strict=True))) for row in sight)
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    middle = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )
