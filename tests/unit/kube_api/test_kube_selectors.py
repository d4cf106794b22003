"""Label and field selectors: what they accept, what they select, what they refuse."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beskar7.api.errors import BadRequest
from emulator.kube.store.selectors import (
    MAX_LENGTH,
    Requirement,
    compile_selectors,
    parse_fields,
    parse_labels,
)

pytestmark = pytest.mark.unit

NAMES = st.from_regex(r"[a-z]([-a-z0-9_.]{0,6}[a-z0-9])?", fullmatch=True).filter(
    lambda name: name not in ("in", "notin")
)
VALUES = st.one_of(st.just(""), NAMES)
REQUIREMENTS = st.one_of(
    st.builds(
        Requirement,
        NAMES,
        st.sampled_from(["In", "NotIn"]),
        st.frozensets(VALUES, min_size=1, max_size=3),
    ),
    st.builds(Requirement, NAMES, st.sampled_from(["Exists", "DoesNotExist"])),
)


def write(requirement: Requirement) -> str:
    if requirement.operator == "Exists":
        return requirement.key
    if requirement.operator == "DoesNotExist":
        return f"!{requirement.key}"
    word = "in" if requirement.operator == "In" else "notin"
    return f"{requirement.key} {word} ({','.join(sorted(requirement.values))})"


@pytest.mark.parametrize(
    ("text", "labels", "selected"),
    [
        ("a=b", {"a": "b"}, True),
        ("a==b", {"a": "c"}, False),
        ("a!=b", {}, True),
        ("a!=b", {"a": "b"}, False),
        ("a=", {"a": ""}, True),
        ("a", {"a": "x"}, True),
        ("!a", {"a": "x"}, False),
        ("! a", {}, True),
        ("a in (b,c)", {"a": "c"}, True),
        ("a in (,b)", {"a": ""}, True),
        ("a notin (b, c)", {"a": "c"}, False),
        ("a notin (b)", {}, True),
        ("a=b,c!=d", {"a": "b", "c": "d"}, False),
        (" a = b , c in ( d ) ", {"a": "b", "c": "d"}, True),
        ("example.com/rack=r1", {"example.com/rack": "r1"}, True),
        ("", {}, True),
    ],
)
def test_labels_are_selected(text: str, labels: dict[str, str], selected: bool) -> None:
    assert all(requirement.matches(labels) for requirement in parse_labels(text)) is selected


@pytest.mark.parametrize(
    "text",
    [
        "a b",
        "=b",
        "a=b=c",
        "a in b",
        "a in (b",
        "a in (b c)",
        "a in",
        ",",
        "a,",
        "!",
        "a=b,,c",
        "-a=b",
        "a=-b",
        "a/b/c=d",
        "/a",
        "a>1",
        "x" * (MAX_LENGTH + 1),
    ],
)
def test_bad_label_selectors_are_refused_by_name(text: str) -> None:
    with pytest.raises(BadRequest, match="selector"):
        parse_labels(text)


@given(st.lists(REQUIREMENTS, max_size=4))
def test_what_is_written_is_parsed_back(requirements: list[Requirement]) -> None:
    assert parse_labels(",".join(map(write, requirements))) == requirements


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    for parse in (parse_labels, parse_fields):
        with suppress(BadRequest):
            assert isinstance(parse(text), list)


EVENT = {
    "metadata": {"name": "e1", "namespace": "ns"},
    "type": "Warning",
    "reason": "ClaimConflict",
    "involvedObject": {"kind": "Beskar7Machine", "name": "m=1,a\\b"},
    "count": 2,
    "done": True,
}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("metadata.name=e1", True),
        ("metadata.name==e2", False),
        ("type!=Normal", True),
        ("reason=ClaimConflict,type=Normal", False),
        ("involvedObject.kind=Beskar7Machine", True),
        (r"involvedObject.name=m\=1\,a\\b", True),
        ("missing.field=", True),
        ("missing.field!=x", True),
        ("count=2", True),
        ("done=true", True),
    ],
)
def test_fields_are_selected(text: str, selected: bool) -> None:
    predicate = compile_selectors(None, text)
    assert predicate is not None
    assert predicate(EVENT) is selected


@pytest.mark.parametrize("text", ["type", "=a", "a=b=c", "type>x", "a!b"])
def test_bad_field_selectors_are_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="can't understand"):
        parse_fields(text)


def test_only_fields_that_the_kind_offers_are_taken() -> None:
    assert parse_fields("metadata.namespace=a,type=b", {"type"})
    with pytest.raises(BadRequest, match=r'field label not supported: "spec.x"'):
        parse_fields("spec.x=1", {"type"})


def test_no_selector_is_no_predicate() -> None:
    assert compile_selectors("", None) is None
