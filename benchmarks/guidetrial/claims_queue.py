"""Claims of the guide about the provisioning queue: operations at once, workers, places."""

from __future__ import annotations

from guidetrial.model import Claim, Part, Sum
from guidetrial.storms import REAL, ROOM, fleet

OPS = (1, 3, 5, 8, 12, 20)
WORKERS = (4, 8, 12, 16)
QUEUES = (10, 25, 150)

RUNS = (
    *(fleet(f"ops-{n}", maxConcurrentOps=n, workerCount=2 * n, maxQueueSize=ROOM) for n in OPS),
    *(
        fleet(
            f"real-ops-{n}",
            seeds=1,
            maxConcurrentOps=n,
            workerCount=2 * n,
            maxQueueSize=ROOM,
            extra=REAL,
        )
        for n in (3, 12)
    ),
    *(fleet(f"workers-{n}", maxConcurrentOps=8, workerCount=n, maxQueueSize=ROOM) for n in WORKERS),
    *(fleet(f"queue-{n}", maxConcurrentOps=5, workerCount=10, maxQueueSize=n) for n in QUEUES),
    fleet("queue-oversized", maxConcurrentOps=5, workerCount=10, maxQueueSize=ROOM),
    fleet("default", hosts=60, maxConcurrentOps=5, workerCount=3, maxQueueSize=50),
    fleet("capacity-remedy", hosts=60, maxConcurrentOps=5, workerCount=8, maxQueueSize=100),
)

SUMS = (
    Sum(
        "workers-cap",
        "1.5 times the 50 operations that are allowed are 75 workers, and 20 are allowed",
        {"wanted": 75, "allowed": 20},
    ),
    Sum(
        "worker-rule",
        "workers over operations: production 8/10, large 15/20, high throughput 10/15, "
        "tier of 100 hosts 10/15, default 3/5",
        {
            "production": 0.8,
            "large": 0.75,
            "throughput": 10 / 15,
            "tier": 10 / 15,
            "default": 3 / 5,
        },
    ),
    Sum(
        "queue-rule",
        "places over operations: the least is that of development, 10/2; 75/10 in production, "
        "150/20 for large fleets, 50/8 in the middle tier",
        {"least": 5.0},
    ),
)

CLAIMS = (
    Claim(
        "ops-start",
        "Start with 8 to 12 BMC operations at once.",
        "C",
        found=(
            "Each doubling halves the time until the last BMC is at work, also beyond 12. "
            "It matters little: with boots of real length 12 instead of 3 operations have "
            "half of 40 machines ready after {real-ops-12:ready_seconds.p50} instead of "
            "{real-ops-3:ready_seconds.p50}."
        ),
        found_for="conditional",
        parts=(
            Part(
                "8 drain a storm in at most 0.8 of the time that 5 take",
                "ops-8:queue_seconds.max",
                "<",
                "ops-5:queue_seconds.max",
                factor=0.8,
            ),
            Part(
                "20 are hardly faster than 12 (by less than a tenth)",
                "ops-20:queue_seconds.max",
                ">",
                "ops-12:queue_seconds.max",
                factor=0.9,
            ),
            Part(
                "with boots of real length a machine is ready sooner with 12 than with 3, by a "
                "tenth (P50)",
                "real-ops-12:ready_seconds.p50",
                "<",
                "real-ops-3:ready_seconds.p50",
                factor=0.9,
            ),
        ),
        shows=("queue_seconds.max", "ready_seconds.p50", "ready_seconds.p95"),
        also=tuple(f"ops-{n}" for n in OPS),
    ),
    Claim(
        "worker-ratio",
        "Workers should be 1.5 to 2 times the operations at once.",
        "C",
        found=(
            "As many workers as operations are enough: {workers-8:queue_seconds.max} until "
            "the last of 40 BMCs is at work, against {workers-16:queue_seconds.max} with "
            "twice as many. Half as many make it {workers-4:queue_seconds.max}, and the "
            "settings that the guide itself recommends have fewer than operations, as have "
            "the defaults."
        ),
        found_for="conditional",
        parts=(
            Part(
                "half as many workers as operations are slower by a tenth",
                "workers-4:queue_seconds.max",
                ">",
                "workers-8:queue_seconds.max",
                factor=1.1,
            ),
            Part(
                "1.5 times are faster than as many, by a twentieth",
                "workers-12:queue_seconds.max",
                "<",
                "workers-8:queue_seconds.max",
                factor=0.95,
            ),
            Part(
                "twice are",
                "workers-16:queue_seconds.max",
                "<",
                "workers-8:queue_seconds.max",
                factor=0.95,
            ),
            Part("production keeps the rule", "worker-rule:production", ">=", 1.5, unit=""),
            Part("large fleets keep it", "worker-rule:large", ">=", 1.5, unit=""),
            Part("the defaults keep it", "worker-rule:default", ">=", 1.5, unit=""),
            Part(
                "it can be kept at the most operations that are allowed",
                "workers-cap:wanted",
                "<=",
                "workers-cap:allowed",
                unit="",
            ),
        ),
        shows=("queue_seconds.max", "ready_seconds.p95"),
    ),
    Claim(
        "queue-ratio",
        "The queue should have at least 5 places for each operation at once.",
        "C",
        found=(
            "The settings keep the rule, and it is not needed: with 2 places for each "
            "operation a storm is served as fast as with 30, for what is turned away comes "
            "again before its turn."
        ),
        found_for="conditional",
        parts=(
            Part(
                "with 2 places for each a storm takes longer than with 5, by a twentieth",
                "queue-10:queue_seconds.max",
                ">",
                "queue-25:queue_seconds.max",
                factor=1.05,
            ),
            Part(
                "with 5 it takes longer than with 30, by a twentieth",
                "queue-25:queue_seconds.max",
                ">",
                "queue-150:queue_seconds.max",
                factor=1.05,
            ),
            Part("the guide's own settings keep the rule", "queue-rule:least", ">=", 5.0, unit=""),
        ),
        shows=("rejections", "queue_seconds.max", "ready_seconds.p95"),
    ),
    Claim(
        "queue-peak",
        "The queue should hold 2 to 3 times (configuration), or 1.5 times (main), what comes in "
        "the busiest hour.",
        "C M",
        found=(
            "A queue of 10 serves 40 machines at once as fast as one of 150, and loses "
            "none, after {queue-10:rejections} requests that were turned away and came "
            "again."
        ),
        found_for="refuted",
        parts=(
            Part(
                "a queue of a quarter of what comes at once loses time against almost four "
                "times as much, by a tenth",
                "queue-10:queue_seconds.max",
                ">",
                "queue-150:queue_seconds.max",
                factor=1.1,
            ),
            Part("or loses a machine", "queue-10:provisioned", "<", 40, unit=""),
        ),
        shows=("rejections", "provisioned", "queue_seconds.max", "ready_seconds.p95"),
    ),
    Claim(
        "queue-oversized",
        "A queue of which less than 20 % are ever used is too big.",
        "C",
        found="Places that nobody takes cost nothing.",
        found_for="refuted",
        parts=(
            Part(
                "a queue of 500, never filled beyond that, costs time against one of 150",
                "queue-oversized:queue_seconds.max",
                ">",
                "queue-150:queue_seconds.max",
                factor=1.02,
            ),
        ),
        shows=("queue_peak_share", "queue_seconds.max", "ready_seconds.p95"),
    ),
    Claim(
        "capacity-remedy",
        "Against a full queue: 100 places and 8 workers.",
        "T",
        found=(
            "Nothing is turned away, and the last BMC is at work after "
            "{capacity-remedy:queue_seconds.max} instead of {default:queue_seconds.max}: "
            "by the workers, not by the places (see queue-ratio)."
        ),
        found_for="confirmed",
        parts=(
            Part(
                "a storm of 60 machines turns none away any more",
                "capacity-remedy:rejections",
                "==",
                0,
                unit="",
            ),
            Part(
                "it is over sooner than with 50 places and 3 workers, by a tenth",
                "capacity-remedy:queue_seconds.max",
                "<",
                "default:queue_seconds.max",
                factor=0.9,
            ),
        ),
        shows=("rejections", "queue_seconds.max", "ready_seconds.p95"),
    ),
)
