"""Claims of the guide about the rest that BMCs need between operations."""

from __future__ import annotations

from guidetrial.model import Claim, Part, Run, Sum
from guidetrial.storms import ROOM, fleet

RESTS = {"dell": (1, 8, 10), "hpe": (5, 8), "lenovo": (12,), "supermicro": (15,)}
"""Seconds, of both documents, and the shortest that can be configured."""

RUNS = (
    *(
        Run(
            f"lives-{vendor}-{rest}",
            "lives",
            (
                f"world.hosts.vendors={{{vendor}: 1}}",
                f"world.config.provisioning.bmcCooldownPeriod={rest}s",
            ),
        )
        for vendor, rests in RESTS.items()
        for rest in rests
    ),
    *(
        fleet(
            f"cooldown-{n}",
            hosts=24,
            maxConcurrentOps=12,
            workerCount=24,
            maxQueueSize=ROOM,
            bmcCooldownPeriod=f"{n}s",
        )
        for n in (1, 30)
    ),
    fleet(
        "overload-remedy",
        maxConcurrentOps=3,
        workerCount=8,
        maxQueueSize=100,
        bmcCooldownPeriod="30s",
    ),
)

SUMS = (Sum("shortest", "1 / (2 s + 5 s) = 0.143 operations a second", {"per_second": 1 / 7}),)

CLAIMS = (
    Claim(
        "bmc-ceiling",
        "One BMC does one operation per operation time and cooldown: with 10 s, and 2 s of work, "
        "5 a minute.",
        "internal",
        found=(
            "{lives-dell-10:bmc_operations_per_minute} on a Dell. A machine that comes and "
            "goes takes two, so a host can change hands two and a half times a minute at "
            "most."
        ),
        found_for="confirmed",
        parts=(
            Part(
                "a Dell at 10 s: at most 5 a minute and a tenth",
                "lives-dell-10:bmc_operations_per_minute",
                "<=",
                5.1,
                unit="/min",
            ),
            Part(
                "and no fewer than 4.5",
                "lives-dell-10:bmc_operations_per_minute",
                ">=",
                4.5,
                unit="/min",
            ),
            Part("a Lenovo rests its 12 s", "lives-lenovo-12:bmc_rest_seconds", ">=", 12.0),
            Part("and not much more", "lives-lenovo-12:bmc_rest_seconds", "<", 13.0),
        ),
        shows=("write_seconds.mean", "bmc_rest_seconds", "bmc_operations_per_minute"),
    ),
    Claim(
        "cooldown-tables",
        "A BMC needs to rest: Dell 10 s, HPE 8 s, Lenovo 12 s, Supermicro 15 s (main); Dell 8 s, "
        "HPE 5 s, Supermicro 15 s (configuration).",
        "M C",
        found=(
            "On fresh hosts a rest costs nothing, whichever table it is from: a host is "
            "written to once. On a host that is used again at once it is most of the time: "
            "with 10 instead of 8 s six lives take {lives-dell-10:makespan_seconds} "
            "instead of {lives-dell-8:makespan_seconds}."
        ),
        found_for="conditional",
        parts=(
            Part(
                "a longer rest costs a storm on fresh hosts nothing: 30 s are within a fiftieth "
                "of 1 s",
                "cooldown-30:queue_seconds.max",
                "<=",
                "cooldown-1:queue_seconds.max",
                factor=1.02,
            ),
            Part(
                "on hosts that are used again at once it does not either: Dell with 10 s is "
                "within a twentieth of 8 s",
                "lives-dell-10:makespan_seconds",
                "<=",
                "lives-dell-8:makespan_seconds",
                factor=1.05,
            ),
        ),
        also=("lives-hpe-5", "lives-hpe-8", "lives-supermicro-15"),
        shows=(
            "bmc_rest_seconds",
            "bmc_operations_per_minute",
            "queue_seconds.max",
            "makespan_seconds",
        ),
        assumes="Whether a BMC comes to harm without its rest no emulator can tell: none of our "
        "personalities has such a limit, as no vendor documents one.",
    ),
    Claim(
        "cooldown-alarm",
        "A BMC whose operations wait for its rest more than 0.3 times a second (troubleshooting), "
        "or 0.5 (main), is overloaded.",
        "M T C R",
        found=(
            "It cannot fire: operations on one BMC are at least a rest apart, so with 10 s "
            "they wait {lives-dell-10:cooldown_waits_per_second_max|} times a second at "
            "most, and with 5 s, the shortest of both tables, less than 0.15."
        ),
        found_for="refuted",
        parts=(
            Part(
                "a Dell without a second's pause for 2 minutes gets beyond 0.3",
                "lives-dell-10:cooldown_waits_per_second_max",
                ">",
                0.3,
                unit="/s",
            ),
            Part(
                "it does with the shortest rest that can be configured, 1 s",
                "lives-dell-1:cooldown_waits_per_second_max",
                ">",
                0.3,
                unit="/s",
            ),
            Part(
                "with 5 s, the shortest of both tables, and 2 s of work, any BMC could",
                "shortest:per_second",
                ">",
                0.3,
                unit="/s",
            ),
        ),
        shows=("bmc_operations_per_minute", "cooldown_waits_per_second_max"),
    ),
    Claim(
        "overload-remedy",
        "Against overloaded BMCs: a rest of 30 s, and 3 operations at once.",
        "T",
        found=(
            "BMCs get what is asked, and a storm on fresh hosts takes no longer than with "
            "the defaults ({overload-remedy:queue_seconds.max} against "
            "{default:queue_seconds.max}), whose 3 workers hold their 5 operations back. "
            "Hosts that are used again at once pay with the longer rest (see "
            "cooldown-tables)."
        ),
        found_for="confirmed",
        parts=(
            Part(
                "BMCs get no more than 3 operations at once",
                "overload-remedy:bmc_concurrent_operations_max",
                "<=",
                3,
                unit="",
            ),
            Part(
                "a storm takes no longer than with the defaults, by a tenth",
                "overload-remedy:queue_seconds.max",
                "<=",
                "default:queue_seconds.max",
                factor=1.1,
            ),
        ),
        shows=("bmc_concurrent_operations_max", "queue_seconds.max", "ready_seconds.p95"),
    ),
)
