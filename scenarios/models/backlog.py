"""The model's queue by the measures that runs of the code have: see the engine's ``backlog``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scenarios.engine.backlog import Span, lengths
from scenarios.models.modelmachine import ModelMachine


def queue_measures(
    machines: Sequence[ModelMachine], began: float, worked: float, workers: int
) -> dict[str, float | None]:
    """``queue_length``, ``queue_max`` and ``utilisation``.

    ``began``: the load's start; ``worked``: seconds of operations and looks since then.
    """
    times = [
        time
        for one in machines
        for time in (one.claimed, one.provisioned, one.released)
        if time is not None
    ]
    window = began, max(times, default=began)
    seconds = window[1] - window[0]
    if seconds <= 0.0:
        return dict.fromkeys(("queue_length", "queue_max", "utilisation"))
    mean, most = lengths(_waits(machines, window[1]), window)
    return {
        "queue_length": mean,
        "queue_max": float(most),
        "utilisation": worked / (workers * seconds),
    }


def _waits(machines: Iterable[ModelMachine], end: float) -> Iterable[Span]:
    """Each host's waits for its provisioning, and to be given back."""
    for one in machines:
        if one.claimed is None:
            continue
        given_up = end if one.deleted is None else one.deleted
        yield one.claimed, min(given_up if one.begun is None else one.begun, given_up)
        if one.deleted is not None:
            until = end if one.released is None else one.released
            yield max(one.deleted, one.claimed), until if one.cleaned is None else one.cleaned
