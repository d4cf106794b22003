"""Kubernetes' quantities as numbers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any


def quantity(value: Any) -> Decimal:
    """Cores or bytes of a Kubernetes quantity; 0 for none and for what is no quantity."""
    # Late: whoever only might read one waits half a second for the Kubernetes client.
    from kubernetes.utils import parse_quantity

    try:
        parse: Callable[[Any], Decimal] = parse_quantity  # it has no annotations
        return parse(value)
    except (ValueError, TypeError):
        return Decimal(0)
