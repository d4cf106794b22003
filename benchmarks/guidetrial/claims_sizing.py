"""Claims of the guide about sizes: spare hosts, memory, processors, and patience."""

from __future__ import annotations

from math import exp, fsum, lgamma, log

from guidetrial.model import Claim, Lab, Part, Run, Sum


def erlang_c(servers: int, busy: float) -> float:
    """Probability that who comes has to wait (M/M/c); ``busy`` servers are in use on average.

    Source: A. K. Erlang's second formula, in logarithms.
    """
    terms = [k * log(busy) - lgamma(k + 1) for k in range(servers)]
    last = servers * log(busy) - lgamma(servers + 1) - log(1 - busy / servers)
    top = max(*terms, last)
    return exp(last - top) / (fsum(exp(term - top) for term in terms) + exp(last - top))


RUNS = (
    *(Run(f"rolling-{n}", "rolling", (f"world.hosts.count={n}",)) for n in (20, 24)),
    Run("enrol-5", "fleet", ("world.hosts.count=5", "load.machines=5")),
    Run(
        "worked-200",
        "fleet",
        (
            "world.hosts.count=200",
            "load.machines=50",
            "world.config.provisioning.maxConcurrentOps=12",
            "world.config.provisioning.workerCount=24",
            "world.config.provisioning.maxQueueSize=75",
        ),
        1,
    ),
)
LABS = (Lab("lab-20", 20, 5), Lab("lab-100", 100, 10))

MIB = 1_000_000 / (1 << 20)
SUMS = (
    Sum(
        "memory-20",
        "20 x 2 MB + 5 x 10 MB + 128 MB = 218 MB; the tier gives 128Mi",
        {"formula_mib": 218 * MIB, "tier_mib": 128},
    ),
    Sum(
        "memory-100",
        "100 x 2 MB + 10 x 10 MB + 128 MB = 428 MB; the tier gives 256Mi",
        {"formula_mib": 428 * MIB, "tier_mib": 256},
    ),
    Sum(
        "memory-200",
        "200 x 2 MB + 15 x 10 MB + 128 MB = 678 MB; the tier gives 512Mi, the worked example 640Mi",
        {"formula_mib": 678 * MIB, "tier_mib": 512, "example_mib": 640},
    ),
    Sum(
        "cpu-200",
        "15 x 20m + 50 x 5m + 100m = 650m; the worked example says 500m",
        {"formula_milli": 650, "example_milli": 500},
    ),
    Sum(
        "replicas-200",
        "the worked example has 3 replicas, the tier of 100 and more hosts 5",
        {"example": 3, "tier": 5},
    ),
    Sum(
        "erlang-80",
        "Erlang's C at 80 % use",
        {"of_5": erlang_c(5, 4), "of_25": erlang_c(25, 20), "of_100": erlang_c(100, 80)},
    ),
    Sum(
        "erlang-90",
        "Erlang's C at 90 % use",
        {"of_10": erlang_c(10, 9), "of_100": erlang_c(100, 90)},
    ),
)


CLAIMS = (
    Claim(
        "spare-hosts",
        "1.2 times as many hosts as machines at the peak.",
        "M R",
        found=(
            "When 20 machines are replaced four at a time, four spare hosts have the new "
            "ones ready after {rolling-24:whole_seconds.p95} instead of "
            "{rolling-20:whole_seconds.p95} (P95, boots shortened): without, each waits "
            "for a host to be given back and its BMC to rest. The share to spare is that "
            "of the surge."
        ),
        found_for="confirmed",
        parts=(
            Part(
                "20 machines, replaced 4 at a time, have new ones ready sooner with 24 hosts "
                "than with 20, by a tenth (P95)",
                "rolling-24:whole_seconds.p95",
                "<",
                "rolling-20:whole_seconds.p95",
                factor=0.9,
            ),
        ),
        shows=("whole_seconds.p50", "whole_seconds.p95", "makespan_seconds"),
    ),
    Claim(
        "use-limits",
        "Add 10 % of hosts above 80 % use, 20 % above 90 %.",
        "R",
        found=(
            "How many have to wait depends on the size of the pool as much as on its use: "
            "at 80 % {erlang-80:of_5|%} with 5 hosts, {erlang-80:of_25|%} with 25, "
            "{erlang-80:of_100|%} with 100. A large pool may be used far more than a small "
            "one."
        ),
        found_for="conditional",
        parts=(
            Part(
                "at 80 % use, one machine in ten or more has to wait: 5 hosts",
                "erlang-80:of_5",
                ">=",
                0.1,
                unit="%",
            ),
            Part("25 hosts", "erlang-80:of_25", ">=", 0.1, unit="%"),
            Part("100 hosts", "erlang-80:of_100", ">=", 0.1, unit="%"),
            Part("at 90 % use: 100 hosts", "erlang-90:of_100", ">=", 0.1, unit="%"),
        ),
        assumes="Machines that come at random, and stay for exponential times.",
    ),
    Claim(
        "enrol-batch",
        "Hosts are added five at a time, with 120 s to enrol.",
        "R",
        found=(
            "{enrol-5:enrol_seconds} where the BMCs answer. A BMC that does not is no "
            "reason to wait longer: it is tried again by itself."
        ),
        found_for="confirmed",
        parts=(Part("5 hosts are Available within 120 s", "enrol-5:enrol_seconds", "<", 120.0),),
        shows=("enrol_seconds",),
    ),
    Claim(
        "memory-formula",
        "Memory is 2 MB a host, 10 MB a reconcile, and 128 MB.",
        "M",
        found=(
            "It is on the safe side by far: {lab-20:rss_mib} with 20 hosts and "
            "{lab-100:rss_mib} with 100, most of it there from the start, and a quarter of "
            "a MiB for each host. And the tiers do not follow it: they give half of what "
            "it says."
        ),
        found_for="conditional",
        parts=(
            Part(
                "20 hosts need no more", "lab-20:rss_mib", "<=", "memory-20:formula_mib", unit="Mi"
            ),
            Part(
                "100 hosts need no more",
                "lab-100:rss_mib",
                "<=",
                "memory-100:formula_mib",
                unit="Mi",
            ),
            Part(
                "20 hosts need half of it at least",
                "lab-20:rss_mib",
                ">=",
                "memory-20:formula_mib",
                factor=0.5,
                unit="Mi",
            ),
            Part(
                "100 hosts need half of it at least",
                "lab-100:rss_mib",
                ">=",
                "memory-100:formula_mib",
                factor=0.5,
                unit="Mi",
            ),
            Part(
                "the small tier's 128Mi are what the formula says",
                "memory-20:tier_mib",
                ">=",
                "memory-20:formula_mib",
                unit="Mi",
            ),
            Part(
                "the middle tier's 256Mi are",
                "memory-100:tier_mib",
                ">=",
                "memory-100:formula_mib",
                unit="Mi",
            ),
        ),
        shows=("start_rss_mib", "rss_mib", "cpu_milli", "cpu_seconds_per_claim"),
        assumes="This controller is Python; the formula was written for one in Go.",
    ),
    Claim(
        "tier-memory",
        "A manager needs 128Mi for 20 hosts, and 256Mi for 100.",
        "M I",
        found="{lab-20:rss_mib} and {lab-100:rss_mib} at most, in a storm.",
        found_for="confirmed",
        parts=(
            Part("20 hosts", "lab-20:rss_mib", "<", 128, unit="Mi"),
            Part("100 hosts", "lab-100:rss_mib", "<", 256, unit="Mi"),
        ),
        shows=("start_rss_mib", "rss_mib", "cpu_milli"),
        assumes="This controller is Python; the tiers were written for one in Go.",
    ),
    Claim(
        "cpu-formula",
        "Processors: 20m a reconcile, 5m for each claim a second, and 100m.",
        "M",
        found=(
            "Each machine costs {lab-100:cpu_seconds_per_claim} of a processor from its "
            "claim to Provisioned; the formula has 0.005 s."
        ),
        found_for="refuted",
        parts=(
            Part(
                "a claim a second, with all that follows it, costs 5m",
                "lab-100:cpu_seconds_per_claim",
                "<=",
                0.005,
                unit="s",
            ),
        ),
        shows=("cpu_milli", "cpu_seconds_per_claim", "claims_per_second"),
        assumes="This controller is Python; the formula was written for one in Go.",
    ),
    Claim(
        "worked-example",
        "200 hosts with 50 machines at the peak: 640Mi, 500m, 75 places, 12 operations, "
        "3 replicas.",
        "M",
        found=(
            "Memory is what its formula gives; processors are not (650m), nor are the "
            "replicas what its tier says. The queue is more than enough: "
            "{worked-200:queue_peak} of 75 places were taken."
        ),
        found_for="conditional",
        parts=(
            Part(
                "640Mi are the formula's result, within a fiftieth",
                "memory-200:formula_mib",
                "<=",
                "memory-200:example_mib",
                factor=1.02,
                unit="Mi",
            ),
            Part(
                "500m are",
                "cpu-200:formula_milli",
                "<=",
                "cpu-200:example_milli",
                factor=1.02,
                unit="m",
            ),
            Part(
                "3 replicas are what its tier says",
                "replicas-200:example",
                "==",
                "replicas-200:tier",
                unit="",
            ),
            Part(
                "50 machines at once turn no request away",
                "worked-200:rejections",
                "==",
                0,
                unit="",
            ),
            Part(
                "they are claimed within a second (P95)", "worked-200:claim_seconds.p95", "<", 1.0
            ),
        ),
        shows=("rejections", "queue_peak", "claim_seconds.p95", "makespan_seconds"),
    ),
    Claim(
        "stuck-age",
        "A claim is stuck after an hour, a host stale after 24.",
        "R M",
        found="",
        found_for="cannot be tested here",
        assumes="A limit of patience, not a behaviour: nothing could show it wrong.",
    ),
)
