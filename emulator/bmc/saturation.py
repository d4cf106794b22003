"""How near to its limit the fleet's one thread is, so that a run can say so."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from beskar7.runtime import Runtime

INTERVAL = 0.25
"""Seconds between samples."""
WINDOW = 8
"""Samples that :attr:`Saturation.busy` is the mean of."""
LATE_SAMPLES = 4
"""So many samples in a row make lateness more than a burst."""
BUSY = 0.9
"""Share of a core above which the thread is at its limit."""
LATE = 0.1
"""Seconds of lateness above which answers come later than the BMC's latency says."""


class Saturation:
    """Samples the processor time of the process and the lateness of the loop's timers."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lags: deque[float] = deque([0.0] * LATE_SAMPLES, maxlen=LATE_SAMPLES)
        self._samples: deque[tuple[float, float]] = deque(maxlen=WINDOW + 1)
        self._handle: asyncio.TimerHandle | None = None
        self._expected = 0.0
        self.busy_max = 0.0
        self.lag_max = 0.0
        """Seconds by which a timer was late, at worst."""

    def start(self) -> None:
        self._sample(first=True)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    @property
    def busy(self) -> float:
        """Share of the last two seconds in which the thread worked, 0 to 1."""
        if len(self._samples) < 2:
            return 0.0
        (start, used_before), (end, used) = self._samples[0], self._samples[-1]
        return min(1.0, (used - used_before) / max(1e-9, end - start))

    @property
    def lag(self) -> float:
        """Seconds by which every timer of the last second was late at least."""
        return min(self._lags)

    @property
    def says(self) -> str:
        """Why the fleet is the bottleneck, in words; empty where it is not.

        A thread that gets little of a busy machine is late without being busy.
        """
        if self.busy >= BUSY:
            return f"busy {self.busy:.0%} of the last {WINDOW * INTERVAL:g} s"
        if self.lag >= LATE:
            return f"{self.lag:.2f} s late, for want of processor time"
        return ""

    def _sample(self, first: bool = False) -> None:
        now = self._runtime.now()
        self._samples.append((now, time.process_time()))
        if not first:
            self._lags.append(max(0.0, now - self._expected))
            self.lag_max = max(self.lag_max, self._lags[-1])
        if len(self._samples) > WINDOW:
            self.busy_max = max(self.busy_max, self.busy)
        self._expected = now + INTERVAL
        self._handle = asyncio.get_running_loop().call_later(INTERVAL, self._sample)
