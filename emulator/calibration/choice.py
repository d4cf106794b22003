"""All kinds of requests of a log, fitted one by one."""

from __future__ import annotations

import numpy as np

from emulator.calibration.fits import Chosen, choose
from emulator.calibration.observations import Observations


def choose_all(observations: Observations, seed: int) -> dict[str, Chosen]:
    """The distribution of each kind; ``seed`` makes the bootstrap repeatable.

    Raises:
        emulator.fields.FieldError: a kind's observations do not go together.
    """
    for kind, sample in observations.items():
        sample.check(kind)
    # A stream for each kind: one more kind in the log changes no other's p-value.
    return {
        kind: choose(sample, np.random.default_rng([seed, *kind.encode()]))
        for kind, sample in observations.items()
    }
