"""Claims of the guide about alarms on the queue and on BMC operations."""

from __future__ import annotations

from guidetrial.model import Claim, Part, Run, Sum
from guidetrial.storms import fleet

SLOW = (
    "faults=[{id: slow, kind: latency, latency: {distribution: lognormal, mean: 4s, sigma: 0.3}}]",
)


def failing(share: int) -> Run:
    """``share`` percent of the writes fail in the first minute."""
    fault = (
        f"faults=[{{id: bad, kind: error, status: 503, probability: {share / 100}, "
        "match: {methods: [POST, PATCH]}, duration: 60s}]"
    )
    return fleet(f"errors-{share}", hosts=30, extra=(fault,))


RUNS = (
    fleet("queue-at-95", hosts=53, seeds=1, maxConcurrentOps=5, workerCount=10, maxQueueSize=50),
    fleet(
        "ramp",
        hosts=80,
        seeds=2,
        maxConcurrentOps=1,
        workerCount=2,
        maxQueueSize=50,
        extra=("load.arrivals={constant: 1.2/s}",),
    ),
    fleet("slow-bmcs", hosts=20, extra=(*SLOW, "world.config.bmc.requestTimeout=30s")),
    failing(2),
    failing(20),
)

SUMS = (
    Sum(
        "filling",
        "from 80 % to full are 10 of 50 places; with 6 machines a minute more than can be served "
        "they are taken in 100 s, so that two minutes take a surplus below 5 a minute",
        {"seconds": 100.0},
    ),
)

CLAIMS = (
    Claim(
        "queue-warning",
        "A queue that is 80 % full (or 70, or 40 of 50) for two minutes warns before it is full.",
        "M R T C",
        found=(
            "A storm fills the queue at once, and a stream of 1.2 machines a second needs "
            "{ramp:queue_warning_seconds} from 80 % to full. Two minutes are there only "
            "where less than 5 machines a minute come too many."
        ),
        found_for="refuted",
        parts=(
            Part(
                "in a storm of 40 machines on 25 places there are two minutes between",
                "queue-25:queue_warning_seconds",
                ">=",
                120.0,
            ),
            Part(
                "when 1.2 machines a second come, and 0.4 can be served, there are",
                "ramp:queue_warning_seconds",
                ">=",
                120.0,
            ),
            Part(
                "where 6 machines a minute come more than can be served, there are",
                "filling:seconds",
                ">=",
                120.0,
            ),
        ),
        shows=("queue_peak", "queue_nearly_full_seconds", "queue_warning_seconds", "rejections"),
    ),
    Claim(
        "queue-critical",
        "At 95 % the queue rejects requests.",
        "T",
        found=(
            "At {queue-at-95:queue_peak} of 50 nothing was turned away; requests are "
            "rejected when all places are taken, and not before."
        ),
        found_for="refuted",
        parts=(
            Part("at 48 of 50 requests are turned away", "queue-at-95:rejections", ">", 0, unit=""),
        ),
        shows=("queue_peak", "queue_peak_share", "rejections"),
    ),
    Claim(
        "slow-bmc-alarm",
        "BMC operations with a P95 over 30 s are trouble.",
        "M T",
        found=(
            "A healthy mixed fleet has {ops-12:bmc_operation_seconds.p95}, one whose BMCs "
            "answer 4 s late {slow-bmcs:bmc_operation_seconds.p95}."
        ),
        found_for="confirmed",
        parts=(
            Part(
                "a healthy mixed fleet stays below", "ops-12:bmc_operation_seconds.p95", "<", 30.0
            ),
            Part(
                "one whose BMCs answer 4 s late is beyond",
                "slow-bmcs:bmc_operation_seconds.p95",
                ">",
                30.0,
            ),
        ),
        shows=("bmc_operation_seconds.mean", "bmc_operation_seconds.p95"),
    ),
    Claim(
        "retry-alarm",
        "A share of retries over 20 % is trouble.",
        "M",
        found=(
            "Quiet when 2 % of the writes fail; but a fifth of all writes failing for a "
            "minute shows as {errors-20:failed_operations_share}, for the share is of all "
            "operations, the looks at booting hosts included."
        ),
        found_for="conditional",
        parts=(
            Part("a healthy fleet has none", "ops-12:failed_operations_share", "==", 0, unit="%"),
            Part(
                "where 2 % of the writes fail it stays below 20 %",
                "errors-2:failed_operations_share",
                "<",
                0.2,
                unit="%",
            ),
            Part(
                "where 20 % fail it is beyond",
                "errors-20:failed_operations_share",
                ">",
                0.2,
                unit="%",
            ),
        ),
        shows=("failed_operations_share", "makespan_seconds"),
    ),
)
