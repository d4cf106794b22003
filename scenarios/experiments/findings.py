"""What an experiment's figures say: an outcome, and the numbers that belong into its sentence.

Every rule goes by intervals: what lies within the scatter of the runs is no finding. Curves are
compared seed by seed, since every point was played on the same luck.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from scenarios.engine.measure_names import MEASURES, Unit
from scenarios.experiments.crossings import Crossing, crossing
from scenarios.models.estimates import Estimate, Shown, difference
from scenarios.pages.content import Estimated
from scenarios.pages.units import said, span
from scenarios.sweep.curves import Curve, Place

Words = dict[str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """``measure`` is judged by the rule ``kind``.

    ``series``: the curve that it is about, and ``against`` the one that it is compared with.
    ``bound``: the value in the measure's unit, or with ``against`` the share of that curve, that
    may not be passed. ``sentences`` by outcome.
    """

    kind: str
    measure: str
    series: str = ""
    against: str = ""
    bound: float = 0.0
    sentences: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    outcome: str
    words: Words


def crossover(rule: Rule, curves: Mapping[str, Curve]) -> Found:
    """From which x on ``series`` is below ``against``, for good.

    ``$x``: that x; ``$before``: the last at which it is above. ``$one``, ``$other``: the values
    of the two there, or at the last x. ``$crossing``: where the two are equal, between the places,
    with its 95 % interval: there the difference, seed by seed, cannot be told from zero.
    """
    mine, other = curves[rule.series].places, curves[rule.against].places
    signs = [_sign(_paired(b, a)) for a, b in zip(mine, other, strict=True)]
    below = next((at for at in range(len(signs)) if all(s < 0 for s in signs[at:])), None)
    above = [at for at, sign in enumerate(signs) if sign > 0]
    if below is not None:
        outcome = "crosses" if above else "always"
        at = below
    else:
        outcome = "never" if above else "equal"
        at = len(signs) - 1
    words = {
        "x": mine[at].x,
        "before": mine[above[-1]].x if above else mine[0].x,
        "one": text(mine[at], rule.measure),
        "other": text(other[at], rule.measure),
        "crossing": _crossing_text(mine, other),
    }
    return Found(outcome, words)


def limit(rule: Rule, curves: Mapping[str, Curve]) -> Found:
    """Up to which x ``series`` keeps within ``bound``, its interval included.

    ``$x``: that x; ``$after``: the next; ``$value`` and ``$beyond``: the values at the two;
    ``$last`` and ``$last_value``: the end.
    """
    places = curves[rule.series].places
    kept = [_high(place) <= rule.bound for place in places]
    first = next((at for at, each in enumerate(kept) if not each), len(kept))
    at, after = max(0, first - 1), min(first, len(kept) - 1)
    words = {
        "x": places[at].x,
        "after": places[after].x,
        "value": text(places[at], rule.measure),
        "beyond": text(places[after], rule.measure),
        "last": places[-1].x,
        "last_value": text(places[-1], rule.measure),
    }
    return Found("never" if first == 0 else "always" if first == len(kept) else "found", words)


def threshold(rule: Rule, curves: Mapping[str, Curve]) -> Found:
    """The first x from which on ``series`` keeps within ``bound``, its interval included.

    With ``against`` the bound is how much more than that curve it may be, as a share of it.
    ``$x``: that x; ``$before``: the one before; ``$value`` and ``$was``: the values at the two;
    ``$other``: that of ``against`` at x.
    """
    places = curves[rule.series].places
    other = curves[rule.against].places if rule.against else places
    kept = [
        _within(place, base, rule) if rule.against else _high(place) <= rule.bound
        for place, base in zip(places, other, strict=True)
    ]
    first = next((at for at in range(len(kept)) if all(kept[at:])), None)
    at = len(kept) - 1 if first is None else first
    before = max(0, at - 1)
    words = {
        "x": places[at].x,
        "before": places[before].x,
        "value": text(places[at], rule.measure),
        "was": text(places[before], rule.measure),
        "other": text(other[at], rule.measure),
    }
    return Found("never" if first is None else "always" if first == 0 else "found", words)


def onset(rule: Rule, curves: Mapping[str, Curve]) -> Found:
    """The first x at which the mean of ``series`` is above ``bound``.

    ``$x``: that x; ``$before``: the one before; ``$value``: the value there; ``$last``: at the end.
    """
    places = curves[rule.series].places
    first = next((at for at, place in enumerate(places) if _mean(place) > rule.bound), None)
    at = len(places) - 1 if first is None else first
    words = {
        "x": places[at].x,
        "before": places[max(0, at - 1)].x,
        "value": text(places[at], rule.measure),
        "last": text(places[-1], rule.measure),
    }
    return Found("never" if first is None else "always" if first == 0 else "found", words)


def ends(rule: Rule, curves: Mapping[str, Curve]) -> Found:
    """What ``series`` is at its two ends.

    ``$x``, ``$last``: the two; ``$first_value``, ``$last_value``: the values; ``$ratio``: the
    larger mean over the smaller.
    """
    places = curves[rule.series].places
    first, last = places[0], places[-1]
    sign = _sign(_paired(first, last))
    low, high = sorted((_mean(first), _mean(last)))
    words = {
        "x": first.x,
        "last": last.x,
        "first_value": text(first, rule.measure),
        "last_value": text(last, rule.measure),
        "ratio": f"{high / low:.3g}" if low > 0 else "\N{INFINITY}",
    }
    return Found("rises" if sign > 0 else "falls" if sign < 0 else "equal", words)


def best(rule: Rule, curves: Mapping[str, Curve]) -> Found:
    """The x at which ``series`` is least, against the x that ``against`` names.

    ``$x``: that x; ``$value``: the value there; ``$other``: that of ``against``; ``$less``: by how
    much it is less, seed by seed; ``$worst``, ``$worst_value``: where it is most.
    """
    places = {place.x: place for place in curves[rule.series].places}
    order = sorted(places.values(), key=_mean)
    base = places[rule.against]
    least, most = order[0], order[-1]
    gain = _paired(least, base)
    unit = MEASURES[rule.measure].unit
    words = {
        "x": least.x,
        "value": text(least, rule.measure),
        "against": base.x,
        "other": text(base, rule.measure),
        "less": _estimate_text(gain, unit),
        "worst": most.x,
        "worst_value": text(most, rule.measure),
    }
    clear = least is not base and gain is not None and gain.low > 0
    return Found("better" if clear else "equal", words)


@dataclass(frozen=True, slots=True)
class Kind:
    """``outcomes``: all that ``judge`` may come to; ``words``: what its sentences may name."""

    judge: Callable[[Rule, Mapping[str, Curve]], Found]
    outcomes: tuple[str, ...]
    words: tuple[str, ...]


RULES: dict[str, Kind] = {
    "crossover": Kind(
        crossover,
        ("crosses", "always", "never", "equal"),
        ("x", "before", "one", "other", "crossing"),
    ),
    "limit": Kind(
        limit,
        ("found", "always", "never"),
        ("x", "after", "value", "beyond", "last", "last_value"),
    ),
    "threshold": Kind(
        threshold, ("found", "always", "never"), ("x", "before", "value", "was", "other")
    ),
    "onset": Kind(onset, ("found", "always", "never"), ("x", "before", "value", "last")),
    "ends": Kind(
        ends, ("rises", "falls", "equal"), ("x", "last", "first_value", "last_value", "ratio")
    ),
    "best": Kind(
        best,
        ("better", "equal"),
        ("x", "value", "against", "other", "less", "worst", "worst_value"),
    ),
}


def find(rule: Rule, curves: Sequence[Curve]) -> Found | None:
    """Judge; None where no run measured what there is to judge.

    Raises KeyError for a curve, or a place of it, that is not there.
    """
    known = {curve.name: curve for curve in curves}
    if not any(place.values for place in known[rule.series].places):
        return None
    return RULES[rule.kind].judge(rule, known)


def _paired(one: Place, other: Place) -> Estimate | None:
    """Of ``other`` from ``one``, over the seeds that both have."""
    seeds = sorted(one.values.keys() & other.values.keys())
    if not seeds:
        return None
    return difference([one.values[s] for s in seeds], [other.values[s] for s in seeds])


def _sign(estimate: Estimate | None) -> int:
    """1 or -1 for what is clearly above or below zero, else 0."""
    if estimate is None:
        return 0
    return (estimate.low > 0) - (estimate.high < 0)


def _crossing_text(mine: Sequence[Place], other: Sequence[Place]) -> str:
    """``46 (31 to 60)``; ``nowhere`` where the curves do not cross for good."""
    found = crossing(
        [float(place.x) for place in mine] if all(map(_numeric, mine)) else [],
        [_paired(b, a) for a, b in zip(mine, other, strict=True)],
    )
    return "nowhere" if found is None else _span_text(found)


def _span_text(found: Crossing) -> str:
    low = "below the least" if found.low is None else f"{found.low:.3g}"
    high = "beyond the most" if found.high is None else f"{found.high:.3g}"
    return f"{found.at:.3g} ({low} to {high})"


def _numeric(place: Place) -> bool:
    try:
        float(place.x)
    except ValueError:
        return False
    return True


def _within(place: Place, base: Place, rule: Rule) -> bool:
    more = _paired(base, place)
    return more is not None and more.high <= rule.bound * _mean(base)


def _mean(place: Place) -> float:
    return place.estimate.mean if place.estimate else float("inf")


def _high(place: Place) -> float:
    return place.estimate.high if place.estimate else float("inf")


def text(place: Place, measure: str) -> str:
    """``12.3s (11.9s to 12.6s)``."""
    each = place.estimate
    return _estimate_text(each and Shown.of(each), MEASURES[measure].unit)


def _estimate_text(each: Estimated | None, unit: Unit) -> str:
    if each is None:
        return "nothing"
    within = span(each.low, each.high, unit) if each.low < each.high else ""
    return said(each.mean, unit) + (f" ({within})" if within else "")
