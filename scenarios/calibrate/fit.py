"""From the spans of a run to the model's times, each with how well it is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from scenarios.calibrate.spans import batch_numbers, spans
from scenarios.engine.evidence import Evidence
from scenarios.engine.expand import tuning_of
from scenarios.models.calibration import MAX_SECONDS, TIMES, Calibration
from scenarios.models.estimates import estimate, quantile
from scenarios.models.learn import learn
from scenarios.models.play import Model

LEAST = 5
"""Samples below which a time is left as it was: their mean would say too little."""
SEEDS = 3
"""Runs of the model whose mean is held against the measured one."""
STEPS = 12
"""Halvings of an interval: to a four-thousandth of it."""
MOST_PROCESSOR = 1.0
"""Seconds of processor time for one reconcile, beyond which none is looked for."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A time of the model: its ``value``, and the samples that it rests on.

    ``mean`` with its 95 % interval (``low``, ``high``), ``p50`` and ``p95`` are of the samples,
    in seconds; NaN where there are none. ``count`` 0 to 4: too few, the value is the default.
    """

    name: str
    value: float
    count: int
    mean: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p50: float = math.nan
    p95: float = math.nan

    @property
    def known(self) -> bool:
        return self.count >= LEAST


def measured(evidence: Evidence) -> list[Measured]:
    """All times of :data:`scenarios.models.calibration.TIMES`, in that order.

    Raises NotModelled or NotLearned where the model cannot play the scenario: how long a reconcile
    needs the processor is what brings the model's claims to the measured time.
    """
    scenario = evidence.scenario
    found = spans(evidence, tuning_of(scenario).boot_poll_interval)
    plain = Calibration().values()
    api = api_of(found["call"], found["watch"])
    times = [
        _of("api_request", found["call"], api, plain),
        _of("api_delivery", found["watch"], api, plain),
        _of("api_sigma", found["call"], api, plain),
        *(
            _of(name, found[name], {name: _mean(found[name])}, plain)
            for name in ("create", "bmc_request", "seen", "handoff", "told", "finish")
        ),
    ]
    values = {time.name: time.value for time in times}
    before = Calibration.of({**values, "processor": 0.0}, "")
    claims = found["batch_claim"]
    processor = 0.0
    if evidence.clock == "live" and len(claims) >= LEAST:  # In virtual time to compute takes none.
        processor = _processor(evidence, before, _mean(claims))
    times.append(_of("processor", claims, {"processor": processor}, plain))
    order = list(TIMES)
    return sorted(times, key=lambda time: order.index(time.name))


def _mean(samples: Sequence[float]) -> float:
    return math.fsum(samples) / len(samples) if samples else 0.0


def _of(
    name: str, samples: Sequence[float], values: Mapping[str, float], plain: Mapping[str, float]
) -> Measured:
    if len(samples) < LEAST:
        return Measured(name, plain[name], len(samples))
    mean = estimate(samples)
    return Measured(
        name,
        min(values[name], MAX_SECONDS),
        len(samples),
        mean.mean,
        max(0.0, mean.low),
        mean.high,
        quantile(samples, 0.5),
        quantile(samples, 0.95),
    )


def api_of(call: Sequence[float], watch: Sequence[float]) -> dict[str, float]:
    """The lognormal halves of a call, and the watch's, that have the measured moments.

    A call is the sum of two equal halves, so its squared coefficient of variation is half of
    theirs. Its deviation is taken from the logarithms, which a few slow calls do not sway as much
    (the sum of two lognormals is nearly one: Fenton 1960).
    """
    if len(call) < LEAST:
        return Calibration().values()
    spread = float(np.std(np.log(np.maximum(call, 1e-9)), ddof=1))
    sigma = math.sqrt(math.log(1.0 + 2.0 * math.expm1(spread**2)))
    median = math.exp(-(sigma**2) / 2)  # of a lognormal whose mean is 1
    half = math.exp(float(np.mean(np.log(np.maximum(call, 1e-9)))) + spread**2 / 2) / 2
    delivery = max(0.0, _mean(watch) - half)
    return {
        "api_request": half * median,
        "api_delivery": delivery * median,
        "api_sigma": sigma,
    }


def _processor(evidence: Evidence, times: Calibration, seen: float) -> float:
    """The processor time of a reconcile that makes claims of many machines last as measured."""
    scenario = evidence.scenario
    scripts = learn(scenario)
    numbers = {int(name.removeprefix("machine-")) for name in batch_numbers(evidence)}

    def claims(processor: float) -> float:
        model = Model(scenario, replace(times, processor=processor), scripts)
        lasted = [
            machine.claimed - machine.eligible
            for seed in range(evidence.seed, evidence.seed + SEEDS)
            for machine in model.run(seed).machines
            if machine.number in numbers and machine.claimed is not None
        ]
        return _mean(lasted)

    return root(claims, seen, MOST_PROCESSOR)


def root(rises: Callable[[float], float], wanted: float, most: float) -> float:
    """Where a function that rises from 0 to ``most`` has the ``wanted`` value; its end if nowhere.

    The interval is first found by doubling: a value far too high may take long to try.
    """
    if rises(0.0) >= wanted:
        return 0.0
    low, high = 0.0, most / float(2**STEPS)
    while high < most and rises(high) < wanted:
        low, high = high, 2 * high
    for _ in range(STEPS):
        middle = (low + high) / 2
        if rises(middle) < wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def calibration(times: Sequence[Measured], source: str) -> Calibration:
    return Calibration.of({time.name: time.value for time in times}, source)
