"""What ``beskar7 fleet calibrate`` says, and the personality that it writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from rich.table import Table

from emulator.calibration.fits import Chosen
from emulator.calibration.laws import SHARES
from emulator.calibration.observations import Observations, Sample
from emulator.latency import Latency

FEW, FEW_FOR_TAIL = 30, 300
"""Values below which a shape is a guess, and below which three lie beyond the P99 at most."""


def table(observations: Observations, chosen: Mapping[str, Chosen]) -> Table:
    """Data and fit side by side; seconds."""
    shown = Table(title=None, pad_edge=False)
    columns = ("operation", "n", "fitted", "KS", "p", *(f"P{share * 100:g} s" for share in SHARES))
    for name in columns:
        shown.add_column(name, justify="left" if name in ("operation", "fitted") else "right")
    for kind, choice in chosen.items():
        pairs = zip(choice.data_quantiles, choice.fit_quantiles, strict=True)
        shown.add_row(
            kind,
            str(observations[kind].count),
            choice.latency.distribution,
            f"{choice.distance:.3f}",
            "-" if choice.p_value is None else f"{choice.p_value:.2f}",
            *(f"{data:.3g} / {fit:.3g}" for data, fit in pairs),
        )
    return shown


def warnings(
    observations: Observations, chosen: Mapping[str, Chosen], untouched: tuple[str, ...], base: str
) -> list[str]:
    """What a user should know before trusting it."""
    said = []
    for kind, choice in chosen.items():
        sample = observations[kind]
        said += [f"{kind}: {text}" for text in _doubts(sample, choice)]
    if untouched:
        said.append(f"not in the log, and left as {base} has them: {', '.join(untouched)}")
    return said


def _doubts(sample: Sample, choice: Chosen) -> list[str]:
    doubts = []
    if sample.count < FEW:
        doubts.append(f"only {sample.count} observations: the shape is a guess; record {FEW} more")
    elif sample.count < FEW_FOR_TAIL:
        doubts.append(f"{sample.count} observations: the P99 rests on three of them at most")
    held = sorted(bounds for bounds, count in sample.bins.items() if count)
    if held and held[-1][1] == float("inf"):
        share = sample.bins[held[-1]] / sample.count
        doubts.append(f"{share:.1%} lie beyond the last bucket, at {held[-1][0]:g} s or more")
    if len(held) in (1, 2) and choice.latency.distribution != "constant":
        doubts.append(f"all in {len(held)} bucket(s): nothing shows the shape within")
    if choice.latency.distribution == "empirical":
        best = choice.fits[0] if choice.fits else None
        why = (
            f"the nearest, {best.latency.distribution}, is off by {best.distance:.3f} (KS)"
            if best
            else "none could be fitted"
        )
        doubts.append(f"no distribution fits, so the recorded quantiles are kept: {why}")
    return doubts


def personality(
    vendor: str,
    base: str,
    date: str,
    observations: Observations,
    chosen: Mapping[str, Chosen],
) -> str:
    """The file: what was fitted over the base, with its source and date."""
    files = sorted({name for sample in observations.values() for name in sample.files})
    shown = ", ".join(files[:5]) + (f" and {len(files) - 5} more" if len(files) > 5 else "")
    parts = [
        f"{kind} {choice.latency.distribution} (n {observations[kind].count}, "
        f"KS {choice.distance:.3f}{_p(choice)})"
        for kind, choice in chosen.items()
    ]
    data: dict[str, Any] = {
        "vendor": vendor,
        "extends": base,
        "latency": {
            "source": f"fitted on {date} to {shown}: {'; '.join(parts)}"[:1000],
            **{kind: _rounded(choice.latency) for kind, choice in chosen.items()},
        },
    }
    head = f"# Written by `beskar7 fleet calibrate` on {date} from {shown}.\n"
    head += "# Seconds are those of a real machine; a fleet's `scale` shortens them.\n"
    return head + yaml.safe_dump(data, sort_keys=False, width=96, default_flow_style=None)


def _p(choice: Chosen) -> str:
    return "" if choice.p_value is None else f", p {choice.p_value:.2f}"


def _rounded(latency: Latency) -> dict[str, Any]:
    """To six digits: nothing that was measured is finer."""
    data = latency.to_dict()
    if latency.distribution == "constant":
        return {"distribution": "constant", "mean": float(f"{latency.mean:.6g}")}
    for name, value in data.items():
        if isinstance(value, float):
            data[name] = float(f"{value:.6g}")
        elif isinstance(value, list):
            data[name] = [float(f"{item:.6g}") for item in value]
    return data
