"""What matters most to whoever operates an installation by the guide."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """``anchor`` is where on the page it is shown; figures in the text as in a claim's."""

    anchor: str
    text: str


FINDINGS: tuple[Finding, ...] = (
    Finding(
        "the-command-blocks",
        "Do not run the emergency scripts as they are. The queue drain never ends when there is "
        "something in the queue (block 20), the host recovery changes nothing and says that it did "
        "(21), the split-brain recovery leaves three replicas whatever there were (19), and each "
        "patch of the Deployment throws away all other arguments (2, 8, 12).",
    ),
    Finding(
        "cooldown-alarm",
        "Some alarms cannot do their work. BMCOverload cannot fire, as one BMC's operations wait "
        "{lives-dell-10:cooldown_waits_per_second_max|} times a second at most, and the limit is "
        "0.3; the queue's warning comes {ramp:queue_warning_seconds} before the queue is full, or "
        "with it, and waits two minutes to be sure; the share of conflicts in the daily check is "
        "always 100 % (block 24).",
    ),
    Finding(
        "conflict-thresholds",
        "Conflicts are no measure of trouble. Claims take milliseconds with "
        "{optimistic-200-of-5:conflict_ratio} conflicts ({optimistic-200-of-5:p95}) as without, "
        "and 200 at once are as good as 20. What makes them slow is a slow API server: watch its "
        "latency, and the P95 of claims.",
    ),
    Finding(
        "worker-ratio",
        "Of the queue's settings workers matter, and places do not. Operations need as many "
        "workers as there may be at once, not 1.5 to 2 times as many; the defaults and most "
        "recommended profiles have fewer, and half as many make a storm of 8 operations at once "
        "last {workers-4:queue_seconds.max} instead of {workers-8:queue_seconds.max}. A queue of "
        "10 places serves a storm as fast as one of 150.",
    ),
    Finding(
        "ops-start",
        "Tuning is worth seconds beside boots of minutes. With 12 operations at once instead of 3 "
        "the last of 40 BMCs is at work after {real-ops-12:queue_seconds.max} instead of "
        "{real-ops-3:queue_seconds.max}; half of the machines are ready after "
        "{real-ops-12:ready_seconds.p50} instead of {real-ops-3:ready_seconds.p50}.",
    ),
)
