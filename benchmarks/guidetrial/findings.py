"""What matters most to whoever operates an installation by the guide."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """``claim``: the id of the claim whose experiments show it; figures in the text as there."""

    claim: str
    text: str


FINDINGS: tuple[Finding, ...] = ()
