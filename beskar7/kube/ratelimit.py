"""A bound on how often a client asks: the token bucket of client-go's ``--kube-api-qps``."""

from __future__ import annotations

from beskar7.runtime import Runtime


class TokenBucket:
    """``qps`` requests a second in the long run, ``burst`` of them at once.

    Who comes when the bucket is empty waits its turn: callers are let go in the order in which
    they came, a ``1 / qps`` apart.
    """

    def __init__(self, runtime: Runtime, qps: float, burst: int) -> None:
        if qps <= 0 or burst < 1:
            raise ValueError(f"qps must be above 0 and burst at least 1, not {qps} and {burst}")
        self._runtime = runtime
        self._interval = 1.0 / qps
        self._allowance = (burst - 1) * self._interval
        self._lock = runtime.lock()
        self._full_at = runtime.now()
        """When the bucket would be full, had nobody asked since; ahead of now by what is used."""

    def acquire(self) -> float:
        """Wait for one's turn; the seconds that this took."""
        with self._lock:
            now = self._runtime.now()
            self._full_at = max(self._full_at, now) + self._interval
            delay = max(0.0, self._full_at - self._interval - self._allowance - now)
        if delay:
            self._runtime.sleep(delay)
        return delay
