"""Claims of the guide about tiers and profiles: which settings for how many hosts."""

from __future__ import annotations

from guidetrial.model import Claim, Part, Run
from guidetrial.storms import fleet


def settings(
    name: str,
    hosts: int,
    ops: int,
    queue: int,
    workers: int,
    *,
    seeds: int = 3,
    rest: int | None = None,
) -> Run:
    """The mixed fleet with a tier's or a profile's settings; ``rest``: seconds, of any BMC."""
    provisioning: dict[str, int | str] = {
        "maxConcurrentOps": ops,
        "maxQueueSize": queue,
        "workerCount": workers,
    }
    if rest is not None:
        provisioning["bmcCooldownPeriod"] = f"{rest}s"
    return fleet(name, hosts=hosts, extra=(), seeds=seeds, **provisioning)


def tier(size: str, hosts: int, seeds: int = 3) -> Run:
    """The main documentation's tiers; the small one names no workers: as many as operations."""
    name = f"tier-{size}-{hosts}"
    match size:
        case "small":
            return settings(name, hosts, 3, 20, 3, seeds=seeds)
        case "middle":
            return settings(name, hosts, 8, 50, 8, seeds=seeds, rest=8)
    return settings(name, hosts, 15, 100, 10, seeds=seeds, rest=5)


PROFILES = (
    settings("dev", 24, 2, 10, 2, rest=15),
    settings("staging", 24, 5, 30, 4, rest=10),
    settings("production", 24, 10, 75, 8, rest=8),
    settings("large", 24, 20, 150, 15, rest=5),
    settings("high-throughput", 24, 15, 100, 10, rest=5),
    settings("conservative", 24, 3, 25, 3, rest=30),
    settings("latency", 24, 3, 50, 3, rest=20),
    settings("throughput", 24, 15, 200, 20, rest=3),
)

RUNS = (
    *(tier(size, 20) for size in ("small", "middle")),
    *(tier(size, 50, 2) for size in ("small", "middle", "large")),
    *PROFILES,
)

CLAIMS = (
    Claim(
        "tiers",
        "1 to 20 hosts: 3 operations and 20 places; 20 to 100: 8 and 50; more: 15 and 100, "
        "10 workers.",
        "M I",
        found=(
            "More hosts do gain from more operations, but so do few: 20 hosts are served "
            "three times as fast with the middle settings as with their own "
            "({tier-middle-20:queue_seconds.max} against "
            "{tier-small-20:queue_seconds.max}), and 50 nearly twice as fast with the "
            "large ones. There is no size for which fewer operations are better here; how "
            "many the BMCs of a rack bear is the limit."
        ),
        found_for="conditional",
        parts=(
            Part(
                "20 hosts gain less than a tenth from the middle tier",
                "tier-middle-20:queue_seconds.max",
                ">",
                "tier-small-20:queue_seconds.max",
                factor=0.9,
            ),
            Part(
                "50 hosts gain a tenth at least from the middle tier over the small one",
                "tier-middle-50:queue_seconds.max",
                "<",
                "tier-small-50:queue_seconds.max",
                factor=0.9,
            ),
            Part(
                "50 hosts gain less than a tenth from the large tier over the middle one",
                "tier-large-50:queue_seconds.max",
                ">",
                "tier-middle-50:queue_seconds.max",
                factor=0.9,
            ),
        ),
        shows=("rejections", "queue_seconds.max", "ready_seconds.p95"),
    ),
    Claim(
        "environments",
        "Development 2 operations, staging 5, production 10, large fleets 20, with 2, 4, 8 and "
        "15 workers.",
        "C",
        found=(
            "Each is faster than the one before: {dev:queue_seconds.max}, "
            "{staging:queue_seconds.max}, {production:queue_seconds.max} and "
            "{large:queue_seconds.max} until the last of 24 BMCs is at work."
        ),
        found_for="confirmed",
        parts=(
            Part(
                "staging is faster than development, by a tenth",
                "staging:queue_seconds.max",
                "<",
                "dev:queue_seconds.max",
                factor=0.9,
            ),
            Part(
                "production than staging",
                "production:queue_seconds.max",
                "<",
                "staging:queue_seconds.max",
                factor=0.9,
            ),
            Part(
                "large than production",
                "large:queue_seconds.max",
                "<",
                "production:queue_seconds.max",
                factor=0.9,
            ),
            Part(
                "development's queue of 10 loses nothing of 24 machines",
                "dev:provisioned",
                "==",
                24,
                unit="",
            ),
        ),
        shows=(
            "rejections",
            "bmc_concurrent_operations_max",
            "queue_seconds.p95",
            "queue_seconds.max",
            "ready_seconds.p95",
        ),
    ),
    Claim(
        "profiles",
        "For throughput 15 operations (10 or 20 workers); conservative 3; for low latency 3.",
        "M C",
        found=(
            "For throughput they are right. For low latency 3 operations are wrong: half "
            "of 24 machines are ready after {latency:ready_seconds.p50} with them, and "
            "after {throughput:ready_seconds.p50} with 15."
        ),
        found_for="conditional",
        parts=(
            Part(
                "high throughput takes half the conservative time at most",
                "high-throughput:queue_seconds.max",
                "<",
                "conservative:queue_seconds.max",
                factor=0.5,
            ),
            Part(
                "20 workers get more out of 15 operations than 10, by a twentieth",
                "throughput:queue_seconds.max",
                "<",
                "high-throughput:queue_seconds.max",
                factor=0.95,
            ),
            Part(
                "the latency profile has a machine ready sooner than the throughput one (P50)",
                "latency:ready_seconds.p50",
                "<",
                "throughput:ready_seconds.p50",
            ),
        ),
        shows=(
            "bmc_concurrent_operations_max",
            "ready_seconds.p50",
            "queue_seconds.max",
            "ready_seconds.p95",
        ),
    ),
)
