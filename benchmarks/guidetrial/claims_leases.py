"""Claims of the guide about leases: their times, and alarms on changes of leadership."""

from __future__ import annotations

from guidetrial.model import Claim, Part, Run


def lease(name: str, world: str, duration: str, renew: str, retry: str, *sets: str) -> Run:
    """``world`` with these times of the manager's lease."""
    args = "world.managers.args.leader-elect-"
    return Run(
        name,
        world,
        (
            f"{args}lease-duration={duration}",
            f"{args}renew-deadline={renew}",
            f"{args}retry-period={retry}",
            *sets,
        ),
    )


def hang(seconds: int) -> str:
    return f"faults.hiccup.duration={seconds}s"


RUNS = (
    Run("restarts", "restarts"),
    lease("restarts-30-20-5", "restarts-long", "30s", "20s", "5s"),
    *(
        lease(f"renew-{share}-hang-{seconds}", "hiccups", "15s", f"{renew}s", "2s", hang(seconds))
        for share, renew in ((40, 6), (67, 10), (93, 14))
        for seconds in (3, 7, 11)
    ),
    lease("lease-30-20-5-hang-14", "hiccups", "30s", "20s", "5s", hang(14)),
    lease("lease-15-10-2-hang-14", "hiccups", "15s", "10s", "2s", hang(14)),
)

CLAIMS = (
    Claim(
        "leadership-alarm",
        "Leadership that changes more than 0.1 times a second (main), or 0.05 (troubleshooting), "
        "over ten minutes is unstable.",
        "M T",
        found=(
            "A leader killed as soon as another has taken over makes "
            "{restarts:leader_changes_per_second}: the limit of 0.05 is just passed by the "
            "worst series of kills, and 0.1 cannot be passed by any with a lease of 15 s. "
            "Neither tells of an hour with a crash every half minute."
        ),
        found_for="conditional",
        parts=(
            Part(
                "a leader that is killed as soon as another took over goes beyond 0.05 a second",
                "restarts:leader_changes_per_second",
                ">",
                0.05,
                unit="/s",
            ),
            Part(
                "it goes beyond 0.1 a second",
                "restarts:leader_changes_per_second",
                ">",
                0.1,
                unit="/s",
            ),
        ),
        shows=("leader_changes_per_second", "failover_seconds.mean", "failover_seconds.max"),
    ),
    Claim(
        "renew-share",
        "The renew deadline should be 60 to 80 % of the lease's duration.",
        "C",
        found=(
            "The lower bound is right: with 40 % an API server that hangs for 7 s takes "
            "the leadership each time. The upper one has nothing for it: with 93 % the "
            "lease outlives 11 s that cost it each time at 67 %, and no invariant breaks."
        ),
        found_for="conditional",
        parts=(
            Part(
                "at 40 %, an API that hangs for 7 s, five times, costs leaderships",
                "renew-40-hang-7:leaderships_lost",
                ">",
                0,
                unit="",
            ),
            Part(
                "at 67 %, it costs fewer",
                "renew-67-hang-7:leaderships_lost",
                "<",
                "renew-40-hang-7:leaderships_lost",
                unit="",
            ),
            Part(
                "at 93 %, hangs of 11 s cost as many as at 67 %",
                "renew-93-hang-11:leaderships_lost",
                ">=",
                "renew-67-hang-11:leaderships_lost",
                unit="",
            ),
        ),
        also=tuple(f"renew-{share}-hang-{s}" for share in (40, 67, 93) for s in (3, 7, 11)),
        shows=("leaderships_lost",),
    ),
    Claim(
        "lease-remedy",
        "Against unstable leadership: a lease of 30 s, renewed within 20 s, every 5 s.",
        "T",
        found=(
            "It does what it promises: 14 s without an answer no longer cost the "
            "leadership. The price is not told: a dead leader is replaced after "
            "{restarts-30-20-5:failover_seconds.mean}, not "
            "{restarts:failover_seconds.mean}."
        ),
        found_for="conditional",
        parts=(
            Part(
                "an API that hangs for 14 s costs leaderships with 15, 10 and 2 s",
                "lease-15-10-2-hang-14:leaderships_lost",
                ">",
                0,
                unit="",
            ),
            Part(
                "it costs none with 30, 20 and 5 s",
                "lease-30-20-5-hang-14:leaderships_lost",
                "==",
                0,
                unit="",
            ),
            Part(
                "a dead leader is replaced as soon as before",
                "restarts-30-20-5:failover_seconds.mean",
                "<=",
                "restarts:failover_seconds.mean",
                factor=1.1,
            ),
        ),
        shows=("leaderships_lost", "failover_seconds.mean", "failover_seconds.max"),
    ),
    Claim(
        "restart-patience",
        "After a restart of the controllers, 60 s are enough for a leader to be there.",
        "T",
        found=(
            "{restarts:failover_seconds.max} at most with the defaults, "
            "{restarts-30-20-5:failover_seconds.max} with the longer lease of the remedy."
        ),
        found_for="confirmed",
        parts=(
            Part(
                "with 15, 10 and 2 s, after a kill (longest)",
                "restarts:failover_seconds.max",
                "<",
                60.0,
            ),
            Part("with 30, 20 and 5 s, too", "restarts-30-20-5:failover_seconds.max", "<", 60.0),
        ),
        shows=("failover_seconds.mean", "failover_seconds.max"),
    ),
)
