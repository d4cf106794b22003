"""The colours, each for light and dark. Tests hold them to WCAG's AA contrast on the cards.

The series' colours are those of a search for the largest least distance (in Oklab) of any two, as
seen by eyes with and without the usual kinds of colour blindness, that still stand off the card.
Lines differ by dashes as well.
"""

from __future__ import annotations

from collections.abc import Callable

from scenarios.pages.content import SERIES

COLOURS: dict[str, tuple[str, str]] = {
    "bg": ("#f6f7f9", "#0f141a"),
    "card": ("#ffffff", "#171e26"),
    "ink": ("#17202b", "#e6ebf1"),
    "soft": ("#56616f", "#9ba8b6"),
    "line": ("#e1e5ea", "#2a3441"),
    "shade": ("#eef1f5", "#1f2833"),
    "good": ("#0f6a45", "#5fd3a0"),
    "good-bg": ("#e2f4ea", "#12342a"),
    "bad": ("#b3261e", "#ff8d85"),
    "bad-bg": ("#fdeceb", "#43201f"),
    "warn": ("#7d5200", "#f1c15c"),
    "warn-bg": ("#fdf3dc", "#3a2e12"),
    "accent": ("#2456c5", "#86a9ff"),
    "accent-soft": ("#c9d7f8", "#2c416f"),
    "series-0": ("#4f79e3", "#3b6ce2"),
    "series-1": ("#dc641c", "#d2402a"),
    "series-2": ("#319d8f", "#a0fae5"),
    "series-3": ("#864073", "#c398c1"),
    "series-4": ("#4d4402", "#f4c909"),
    "series-5": ("#2d2c2e", "#7b7385"),
    "series-6": ("#4d1d7f", "#9b8bfd"),
    "series-7": ("#935648", "#e9805c"),
}
"""Name to light and dark, as ``#rrggbb``."""

HEAT_STEPS = 10
HEAT = (("#eef4fb", "#0b3d78"), ("#1c2836", "#8cc6ff"))
"""From the least to the most, in light and in dark."""


def channels(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def luminance(colour: str) -> float:
    """Relative luminance, 0 to 1 (WCAG 2.2)."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in channels(colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """From 1 to 21; AA asks for 4.5 of text and 3 of marks (WCAG 2.2)."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _between(low: str, high: str, share: float) -> str:
    pairs = zip(channels(low), channels(high), strict=True)
    return "#" + "".join(f"{round(255 * (a + (b - a) * share)):02x}" for a, b in pairs)


def _legible(colour: str) -> str:
    """Black or white, whichever reads better on it."""
    return max(("#000000", "#ffffff"), key=lambda ink: contrast(ink, colour))


def _heat(step: int) -> dict[str, tuple[str, str]]:
    share = step / (HEAT_STEPS - 1)
    light, dark = (_between(low, high, share) for low, high in HEAT)
    return {
        f"heat-{step}": (light, dark),
        f"heat-ink-{step}": (_legible(light), _legible(dark)),
    }


for _step in range(HEAT_STEPS):
    COLOURS.update(_heat(_step))


def resolved(css: str, theme: Callable[[tuple[str, str]], str]) -> str:
    """The style sheet with the colours themselves, for readers that know no variables."""
    for name, pair in COLOURS.items():
        css = css.replace(f"var(--{name})", theme(pair))
    return css


assert sum(name.startswith("series-") for name in COLOURS) == SERIES
