"""All claims, in the order of the page, and all that they rest on."""

from __future__ import annotations

from guidetrial import (
    claims_alarms,
    claims_bmcs,
    claims_controller,
    claims_coordination,
    claims_leases,
    claims_queue,
    claims_sizing,
    claims_tiers,
)
from guidetrial.model import Claim, Experiment, Sum

CLAIMS: tuple[Claim, ...] = (
    *claims_coordination.CLAIMS,
    *claims_leases.CLAIMS,
    *claims_queue.CLAIMS,
    *claims_alarms.CLAIMS,
    *claims_bmcs.CLAIMS,
    *claims_tiers.CLAIMS,
    *claims_controller.CLAIMS,
    *claims_sizing.CLAIMS,
)
SUMS: tuple[Sum, ...] = (
    *claims_queue.SUMS,
    *claims_alarms.SUMS,
    *claims_bmcs.SUMS,
    *claims_controller.SUMS,
    *claims_sizing.SUMS,
)
_PLAYED: tuple[Experiment, ...] = (
    *claims_coordination.STORMS,
    *claims_leases.RUNS,
    *claims_queue.RUNS,
    *claims_alarms.RUNS,
    *claims_bmcs.RUNS,
    *claims_tiers.RUNS,
    *claims_controller.RUNS,
    *claims_sizing.RUNS,
    *claims_sizing.LABS,
)
EXPERIMENTS = {each.name: each for each in _PLAYED}


def rests_on(claim: Claim) -> list[str]:
    """The experiments and sums that a claim's parts name, and those that it shows, too."""
    named = [text for part in claim.parts for text in (part.left, part.right)]
    found = [text.partition(":")[0] for text in named if isinstance(text, str)]
    return list(dict.fromkeys([*claim.also, *found]))
