"""What the model is asked and cannot play is refused in words."""

from __future__ import annotations

import pytest

from scenarios.engine.loader import loads
from scenarios.models.play import Model, NotModelled

pytestmark = pytest.mark.unit


def test_a_configuration_that_the_controller_refuses_is_refused_with_its_reason() -> None:
    text = """
name: refused
world: {hosts: {count: 3}, config: {provisioning.operationTimeout: 5s}}
load: {machines: 2}
"""
    with pytest.raises(NotModelled, match=r"operationTimeout: '5s' is not .*keeps its defaults"):
        Model(loads(text))
