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


def burst(number: int) -> Run:
    return fleet(
        f"burst-{number}",
        maxConcurrentOps=20,
        workerCount=40,
        maxQueueSize=ROOM,
        extra=(
            "world.managers.args.kube-api-qps=20",
            f"world.managers.args.kube-api-burst={number}",
        ),
    )


RUNS = (
    *(reconciles(number) for number in (1, 5, 10)),
    *(burst(number) for number in (20, 30, 60)),
)
SUMS = (
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
        found="",
        found_for="refuted",
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
        found="",
        found_for="refuted",
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
        found="",
        found_for="conditional",
        parts=(
            Part(
                "40 claims at 20 requests a second are faster with a burst of 30 than of 20, by "
                "a tenth (P95)",
                "burst-30:claim_seconds.p95",
                "<",
                "burst-20:claim_seconds.p95",
                factor=0.9,
            ),
            Part(
                "a burst of 60 hardly adds to that (less than a tenth)",
                "burst-60:claim_seconds.p95",
                ">",
                "burst-30:claim_seconds.p95",
                factor=0.9,
            ),
            Part(
                "the limit itself costs a storm nothing: within a tenth of the time without",
                "burst-30:ready_seconds.p95",
                "<",
                "ops-20:ready_seconds.p95",
                factor=1.1,
            ),
        ),
        shows=("claim_seconds.p95", "queue_seconds.max", "ready_seconds.p95"),
    ),
)
