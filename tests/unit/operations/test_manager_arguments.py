"""A manager's flags as they stand in a pod: found in every form, and taken out whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beskar7.operations import managers

pytestmark = pytest.mark.unit

OTHERS = st.lists(
    st.sampled_from(["--leader-elect-lease-duration=5s", "--log-level", "debug", "--a=b", "--zap"]),
    max_size=4,
)
FORMS = st.sampled_from(
    [["--leader-elect=false"], ["-leader-elect=0"], ["--leader-elect", "false"], ["--leader-elect"]]
)


@pytest.mark.parametrize(
    ("args", "elects"),
    [
        ([], True),
        (["--leader-elect=false"], False),
        (["--leader-elect=False"], False),
        (["--leader-elect", "false"], False),
        (["--leader-elect", "--log-level=debug"], True),
        (["--leader-elect=true"], True),
        (["--leader-elect=false", "--leader-elect=true"], True),
        (["--leader-elect=true", "--leader-elect=0"], False),
        (["--leader-elect-release-on-cancel=false"], True),
    ],
)
def test_who_elects(args: list[str], elects: bool) -> None:
    assert managers.elects({"args": args}) is elects


@given(OTHERS, FORMS, OTHERS)
def test_a_flag_goes_in_every_form_and_nothing_else_does(
    before: list[str], form: list[str], after: list[str]
) -> None:
    # A bare flag is followed by a flag, or by the end: else the next word would be its value.
    while len(form) == 1 and "=" not in form[0] and after and not after[0].startswith("-"):
        after = after[1:]
    if before and before[-1] == "--log-level":
        before = [*before, "debug"]
    args = before + form + after
    assert managers.flag(args, "leader-elect") is not None
    kept = managers.without_flag(args, "leader-elect")
    assert kept == before + after
    assert managers.elects({"args": kept})


def test_the_container_is_found_by_its_name() -> None:
    """Row 7: the first container may be a proxy."""
    containers = [
        {"name": "kube-rbac-proxy", "args": ["--leader-elect=false"]},
        {"name": "manager", "args": ["--log-level=debug"]},
    ]
    deployment = {"spec": {"template": {"spec": {"containers": containers}}}}
    assert managers.arguments(deployment) == ["--log-level=debug"]
