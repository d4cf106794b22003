"""Claims of the guide about claims: how fast, how many conflicts, and when to elect a leader."""

from __future__ import annotations

from guidetrial.model import Claim, Part, Storm

SIZES = (10, 20, 50, 100, 200)
CRAWL = 0.5
"""Seconds of half a call to an API server that hardly moves."""
BUSY = 0.025
"""Seconds of half a call to a busy API server: 50 ms a call, 100 ms until a watch tells."""
FIRST = "first-available"

STORMS = (
    *(Storm(f"standard-{n}", "standard", n) for n in SIZES),
    *(Storm(f"leader-{n}", "leader", n) for n in SIZES),
    *(Storm(f"optimistic-{n}", "shards", n) for n in SIZES),
    Storm("optimistic-200-of-5", "shards", 200, 5),
    Storm("busy-optimistic-20", "shards", 20, api=BUSY),
    Storm("busy-standard-100", "standard", 100, api=BUSY),
    Storm("busy-leader-100", "leader", 100, api=BUSY),
    Storm("crawl-standard-50", "standard", 50, api=CRAWL),
    Storm("crawl-leader-50", "leader", 50, api=CRAWL),
    *(
        Storm(
            f"backoff-{text}",
            "shards",
            60,
            3,
            algorithm=FIRST,
            config={"hostSelection.backoffMultiplier": text},
        )
        for text in ("1.5", "3.0")
    ),
    *(
        Storm(
            f"tries-{n}",
            "shards",
            60,
            3,
            algorithm=FIRST,
            config={"hostSelection.retryLimit": str(n)},
        )
        for n in (1, 10)
    ),
    Storm("shortage-standard", "standard", 40, hosts=20),
    Storm("shortage-leader", "leader", 40, hosts=20),
    Storm("shortage-optimistic", "shards", 40, hosts=20),
)

CLAIMS = (
    Claim(
        "optimistic-fast",
        "Optimistic claims take less than a second, and are good for 10 to 20 at once.",
        "M",
        found=(
            "A claim takes {optimistic-20:p95} at 20 at once and no longer at 200 "
            "({optimistic-200-of-5:p95} by five managers): the limit of 10 to 20 is not "
            "one. What makes claims slow is the API server: at 50 ms a call 20 take "
            "{busy-optimistic-20:p95}."
        ),
        found_for="conditional",
        parts=(
            Part("20 at once take under a second (P95)", "optimistic-20:p95", "<", 1.0),
            Part("so they do when each API call takes 50 ms", "busy-optimistic-20:p95", "<", 1.0),
            Part("100 at once take longer than that", "optimistic-100:p95", ">=", 1.0),
            Part("200 at once, by 5 managers, do", "optimistic-200-of-5:p95", ">=", 1.0),
        ),
        also=tuple(f"optimistic-{n}" for n in SIZES),
        shows=("p50", "p95", "conflict_ratio"),
    ),
    Claim(
        "leader-fast",
        "With an elected claim leader a claim takes 1 to 3 s; it is good for 50 and more at once, "
        "and has fewer conflicts.",
        "M",
        found=(
            "No conflict at any number, as promised; and no 1 to 3 s either: "
            "{leader-50:p95} for 50 at once, {leader-200:p95} for 200, and "
            "{busy-leader-100:p95} for 100 where each call takes 50 ms."
        ),
        found_for="conditional",
        parts=(
            Part("50 at once take a second or more (P95)", "leader-50:p95", ">=", 1.0),
            Part("they take 3 s at most", "leader-50:p95", "<=", 3.0),
            Part("200 at once take 3 s at most", "leader-200:p95", "<=", 3.0),
            Part("no conflict at 200", "leader-200:conflict_ratio", "==", 0.0, unit="%"),
            Part(
                "fewer conflicts than when all managers claim",
                "leader-200:conflict_ratio",
                "<",
                "optimistic-200:conflict_ratio",
                unit="%",
            ),
        ),
        also=tuple(f"leader-{n}" for n in SIZES),
        shows=("p50", "p95", "conflict_ratio"),
    ),
    Claim(
        "leader-from",
        "Elect a claim leader from 20 claims at once on, or from 10 % conflicts, 50 or 100 hosts "
        "on: the three documents differ.",
        "M C I",
        found=(
            "Below 50 at once it makes no difference that can be told; from 100 on the "
            "leader is a little faster ({leader-200:p95} against {standard-200:p95} at "
            "200), which nobody notices beside a boot of minutes. Its use is claims from "
            "several managers without conflicts, not speed."
        ),
        found_for="conditional",
        parts=(
            Part(
                "at 20 it is faster than one manager that claims (P95)",
                "leader-20:p95",
                "<",
                "standard-20:p95",
            ),
            Part("at 50 it is", "leader-50:p95", "<", "standard-50:p95"),
            Part("at 100 it is", "leader-100:p95", "<", "standard-100:p95"),
            Part("at 200 it is", "leader-200:p95", "<", "standard-200:p95"),
            Part(
                "at 100, with 50 ms a call, it is",
                "busy-leader-100:p95",
                "<",
                "busy-standard-100:p95",
            ),
        ),
        also=tuple(f"{mode}-{n}" for n in SIZES for mode in ("standard", "leader")),
        shows=("p50", "p95", "conflict_ratio"),
    ),
    Claim(
        "conflict-thresholds",
        "Conflicts of 5 % are fine, 10 % a warning, 15 % too many, 20 % critical.",
        "M C R T",
        found=(
            "A share of conflicts says how many managers claim at once, not how slow "
            "claims are: ten claims by three managers have {optimistic-10:conflict_ratio} "
            "conflicts and take {optimistic-10:p95}; even at {backoff-1.5:conflict_ratio} "
            "they take {backoff-1.5:p95}. Where one manager claims, or a claim leader, "
            "there is none, so that any share at all means several claim."
        ),
        found_for="refuted",
        parts=(
            Part(
                "ten claims at once, by all managers, stay below 10 %",
                "optimistic-10:conflict_ratio",
                "<",
                0.10,
                unit="%",
            ),
            Part(
                "where more than 15 % conflict, claims take over a second (P95)",
                "optimistic-200-of-5:p95",
                ">",
                1.0,
            ),
            Part(
                "where more than 20 % do, hosts picked in order of their names, they do",
                "backoff-1.5:p95",
                ">",
                1.0,
            ),
        ),
        shows=("p95", "conflict_ratio"),
    ),
    Claim(
        "claim-alarms",
        "A P95 of claims over 5 s, or of the claim leader's work over 3 s, is trouble.",
        "M T",
        found=(
            "Far above all that is healthy ({standard-200:p95} for 200 claims), and passed "
            "by far when the API server takes a second a call ({crawl-standard-50:p95})."
        ),
        found_for="confirmed",
        parts=(
            Part("200 claims at once stay below 5 s", "standard-200:p95", "<", 5.0),
            Part("200 by a claim leader stay below 3 s", "leader-200:p95", "<", 3.0),
            Part(
                "50 at an API that takes a second a call are over 5 s",
                "crawl-standard-50:p95",
                ">",
                5.0,
            ),
            Part("50 by a claim leader there are over 3 s", "crawl-leader-50:p95", ">", 3.0),
        ),
        shows=("p50", "p95"),
    ),
    Claim(
        "success-panel",
        "A success rate of claims below 95 % is yellow, below 85 % red.",
        "T",
        found=(
            "Always green where one manager or a claim leader claims. Where all managers "
            "claim it is {optimistic-200:success_ratio}, yellow to red, though each claim "
            "succeeds after milliseconds: it counts lost tries, not lost claims."
        ),
        found_for="conditional",
        parts=(
            Part(
                "green when one manager claims", "standard-200:success_ratio", ">=", 0.95, unit="%"
            ),
            Part("green with a claim leader", "leader-200:success_ratio", ">=", 0.95, unit="%"),
            Part(
                "not red when all managers claim, and each claim succeeds within milliseconds",
                "optimistic-200:success_ratio",
                ">=",
                0.85,
                unit="%",
            ),
        ),
        shows=("p95", "success_ratio"),
    ),
    Claim(
        "claim-backoff",
        "A claim that conflicts waits 1, 2, 4, 8 s, five times; the multiplier is 1.5, and 3 hosts "
        "are tried at once.",
        "M",
        found=(
            "A wait of a second and more would be several times as long as a whole claim: "
            "{backoff-1.5:p99} for the slowest when 60 want the same host first. The "
            "smaller multiplier is faster; more hosts at once are better still "
            "({tries-10:p95} with 10, {backoff-1.5:p95} with 3)."
        ),
        found_for="conditional",
        parts=(
            Part(
                "claims of 60 machines that all want the first host need the first second of "
                "that wait (P99)",
                "backoff-1.5:p99",
                ">=",
                1.0,
            ),
            Part(
                "a multiplier of 1.5 is faster than one of 3 by a tenth (P95)",
                "backoff-1.5:p95",
                "<",
                "backoff-3.0:p95",
                factor=0.9,
            ),
            Part(
                "3 hosts at once are faster than 10 (P95)", "backoff-1.5:p95", "<", "tries-10:p95"
            ),
        ),
        also=("tries-1",),
        shows=("p95", "p99", "conflict_ratio"),
    ),
    Claim(
        "stress-bound",
        "40 claims on 20 hosts: 20 are served, within 30 s.",
        "X",
        found="Within {shortage-leader:p99} at most, in each of three modes.",
        found_for="confirmed",
        parts=tuple(
            part
            for mode in ("standard", "leader", "optimistic")
            for part in (
                Part(f"{mode}: 20 are served", f"shortage-{mode}:claimed", "==", 20, unit=""),
                Part(f"{mode}: within 30 s (P99)", f"shortage-{mode}:p99", "<", 30.0),
            )
        ),
        shows=("p95", "p99", "conflict_ratio"),
    ),
)
