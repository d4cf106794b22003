"""Claims of the guide about the controller's own limits: reconciles at once, calls of the API."""

from __future__ import annotations

from guidetrial.model import Claim, Part, Run, Sum
from guidetrial.storms import ROOM, fleet


def reconciles(number: int) -> Run:
    return fleet(
        f"reconciles-{number}",
        hosts=24,
        maxConcurrentOps=20,
        workerCount=40,
        maxQueueSize=ROOM,
        extra=(f"world.managers.args.max-concurrent-reconciles={number}",),
    )


RUNS = (*(reconciles(number) for number in (1, 5, 10)),)
SUMS = (
    Sum(
        "token-bucket",
        "40 claims are 160 calls (4 each, docs/claims-figures.md); at 20 a second they take "
        "(160 - burst) / 20: 7 s with a burst of 20, 6.5 s with 30, 5 s with 60",
        {"of_20": 7.0, "of_30": 6.5, "of_60": 5.0},
    ),
    Sum(
        "reconcile-rule",
        "hosts for one reconcile: 20/5, 100/10, 200/15",
        {"small": 4, "middle": 10, "large": 200 / 15},
    ),
)

CLAIMS = (
    Claim(
        "reconciles",
        "One concurrent reconcile for each 5 to 10 hosts.",
        "C M",
        found=(
            "One reconcile serves 24 hosts as fast as ten "
            "({reconciles-1:queue_seconds.max} and {reconciles-10:queue_seconds.max} until "
            "the last BMC is at work); claims take {reconciles-1:claim_seconds.p95} "
            "instead of {reconciles-10:claim_seconds.p95}. No reconcile waits for a BMC "
            "here, so the number hardly matters. The large tier breaks the rule."
        ),
        found_for="conditional",
        parts=(
            Part(
                "24 hosts are served faster with 10 reconciles than with 1, by a tenth",
                "reconciles-10:queue_seconds.max",
                "<",
                "reconciles-1:queue_seconds.max",
                factor=0.9,
            ),
            Part(
                "with 5 (one for 5) they are slower than with 10, by a fiftieth",
                "reconciles-5:queue_seconds.max",
                ">",
                "reconciles-10:queue_seconds.max",
                factor=1.02,
            ),
            Part("the middle tier keeps the rule", "reconcile-rule:middle", "<=", 10, unit=""),
            Part("the large one does at 200 hosts", "reconcile-rule:large", "<=", 10, unit=""),
        ),
        also=tuple(f"reconciles-{n}" for n in (1, 5, 10)),
        shows=("claim_seconds.p95", "queue_seconds.max", "ready_seconds.p95"),
    ),
    Claim(
        "fewer-reconciles",
        "Against overload: 5 reconciles at once instead of 10.",
        "T",
        found=(
            "Neither better nor worse than can be told: {reconciles-5:queue_seconds.max} "
            "with 5, {reconciles-10:queue_seconds.max} with 10. It is no remedy here."
        ),
        found_for="conditional",
        parts=(
            Part(
                "a storm takes less time",
                "reconciles-5:queue_seconds.max",
                "<",
                "reconciles-10:queue_seconds.max",
                factor=0.98,
            ),
            Part(
                "claims take less time (P95)",
                "reconciles-5:claim_seconds.p95",
                "<",
                "reconciles-10:claim_seconds.p95",
            ),
        ),
        shows=("claim_seconds.p95", "writes_per_claim", "queue_seconds.max", "ready_seconds.p95"),
    ),
    Claim(
        "api-burst",
        "A burst of 1.5 times the requests a second that are allowed.",
        "C",
        found=(
            "A burst is a sum that is saved once: 10 requests are half a second of seven. "
            "What would help is more of it, or no limit, which is the default here."
        ),
        found_for="refuted",
        parts=(
            Part(
                "40 claims at 20 requests a second are faster with a burst of 30 than of 20, by "
                "a tenth",
                "token-bucket:of_30",
                "<",
                "token-bucket:of_20",
                factor=0.9,
            ),
            Part(
                "a burst of 60 hardly adds to that (less than a tenth)",
                "token-bucket:of_60",
                ">",
                "token-bucket:of_30",
                factor=0.9,
            ),
        ),
        assumes="Calculated: the limit is of the HTTP client, which virtual time does not have. "
        "Without the flags there is no limit here.",
    ),
)
