"""How long things take on one host."""

from __future__ import annotations

from beskar7.runtime import Random, Runtime
from emulator.bmc.personality import Personality
from emulator.latency import Latency


class Timing:
    """How long things take on one host: the vendor's distributions, scaled, and its own luck.

    Hardware and answers draw from streams of their own, so that how often a client asks does not
    change how long the machine boots.
    """

    __slots__ = (
        *("_answers", "_boot_scale", "_hardware", "_host", "_latency_scale", "_personality"),
        "_runtime",
    )

    def __init__(
        self,
        personality: Personality,
        runtime: Runtime,
        host: str,
        boot_scale: float,
        latency_scale: float,
    ) -> None:
        self._personality = personality
        self._runtime = runtime
        self._host = host
        self._boot_scale = boot_scale
        self._latency_scale = latency_scale
        self._hardware: Random | None = None
        self._answers: Random | None = None

    def _draw(self, latency: Latency) -> float:
        # A stream is 2.5 KB: ten thousand idle hosts need none.
        if self._hardware is None:
            self._hardware = self._runtime.rng(f"bmc/{self._host}")
        return latency.draw(self._hardware) * self._boot_scale

    def power_on(self) -> float:
        return self._draw(self._personality.power_on)

    def power_off(self) -> float:
        return self._draw(self._personality.power_off)

    def shutdown(self) -> float:
        return self._draw(self._personality.shutdown)

    def boot(self) -> float:
        return self._draw(self._personality.boot)

    @property
    def phases(self) -> tuple[tuple[float, str], ...]:
        return self._personality.phases

    def answer(self, operation: str) -> float:
        """Seconds that one request takes, by its kind (``personality.OPERATIONS``)."""
        if self._latency_scale <= 0.0:
            return 0.0
        if self._answers is None:
            self._answers = self._runtime.rng(f"bmc-latency/{self._host}")
        return self._personality.latency_of(operation).draw(self._answers) * self._latency_scale
