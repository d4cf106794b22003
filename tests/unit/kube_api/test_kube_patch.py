"""Merge patch laws, and JSON patch."""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beskar7.api.errors import ApiError, BadRequest, Invalid, TooLarge, UnsupportedMediaType
from emulator.kube.patches.patch import apply_patch, json_patch, merge_patch

pytestmark = pytest.mark.unit

KEYS = st.sampled_from("abcd")
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["x", "y"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=10,
)
OBJECTS = st.dictionaries(KEYS, JSON, max_size=4)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_nulls(child) for key, child in value.items() if child is not None}
    return value


def difference(old: Any, new: Any) -> Any:
    """The merge patch that leads from one to the other."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    patch = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old or old[key] != value or type(old[key]) is not type(value):
            patch[key] = difference(old.get(key), value)
    return patch


@given(OBJECTS, OBJECTS)
def test_applying_a_merge_patch_twice_is_applying_it_once(
    target: dict[str, Any], patch: dict[str, Any]
) -> None:
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_leaves_its_arguments_alone(
    target: dict[str, Any], patch: dict[str, Any]
) -> None:
    kept = copy.deepcopy((target, patch))
    merge_patch(target, patch)
    assert (target, patch) == kept


@given(OBJECTS)
def test_the_empty_merge_patch_changes_nothing(target: dict[str, Any]) -> None:
    assert merge_patch(target, {}) == target


@given(OBJECTS.map(without_nulls), OBJECTS.map(without_nulls))
def test_the_difference_leads_to_the_new_state(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert merge_patch(old, difference(old, new)) == new


@given(OBJECTS, OBJECTS)
def test_nulls_of_the_patch_never_arrive(target: dict[str, Any], patch: dict[str, Any]) -> None:
    merged = merge_patch(without_nulls(target), patch)
    assert without_nulls(merged) == merged


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [  # from the table in RFC 7396, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_rfc_7396_examples(target: Any, patch: Any, expected: Any) -> None:
    assert merge_patch(target, patch) == expected


def test_json_patch_does_not_touch_its_target() -> None:
    target = {"spec": {"a": [1]}}
    patched = json_patch(target, [{"op": "add", "path": "/spec/a/-", "value": 2}])
    assert patched == {"spec": {"a": [1, 2]}}
    assert target == {"spec": {"a": [1]}}


@pytest.mark.parametrize(
    ("patch", "error"),
    [
        ({"op": "add"}, BadRequest),
        ([1], BadRequest),
        ([{"op": "jump", "path": "/a"}], BadRequest),
        ([{"op": "add", "value": 1}], BadRequest),
        ([{"op": "add", "path": "/a"}], BadRequest),
        ([{"op": "add", "path": "a", "value": 1}], ApiError),
        ([{"op": "test", "path": "/a", "value": 2}], Invalid),
        ([{"op": "remove", "path": "/missing"}], Invalid),
        ([{"op": "replace", "path": "/a/b/c", "value": 1}], Invalid),
        ([{"op": "remove", "path": ""}], ApiError),
        ([{"op": "copy", "path": "/b", "from": 7}], ApiError),
        ([{"op": "move", "path": "/b"}], ApiError),
    ],
)
def test_bad_json_patches_are_refused(patch: Any, error: type[ApiError]) -> None:
    with pytest.raises(error) as caught:
        apply_patch({"a": 1}, patch, "json")
    assert 400 <= caught.value.code < 500


OPERATIONS = st.fixed_dictionaries(
    {},
    optional={
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"]),
        "path": st.sampled_from(["", "/", "/a", "/a/0", "/a/-", "/b/c", "/~2", "a", "/a/b/c"]),
        "from": st.one_of(st.sampled_from(["", "/a", "/b"]), st.integers()),
        "value": JSON,
    },
)


@settings(max_examples=200)
@given(OBJECTS, st.lists(OPERATIONS, max_size=3))
def test_any_json_patch_is_applied_or_refused(target: dict[str, Any], patch: Any) -> None:
    with suppress(BadRequest, Invalid):
        assert isinstance(apply_patch(target, patch, "json"), dict)


def test_a_json_patch_cannot_fill_the_memory_by_copying() -> None:
    double = {"op": "copy", "from": "/a", "path": "/a/-"}
    with pytest.raises(TooLarge, match="copy"):
        apply_patch({"a": ["x" * 1000]}, [double] * 60, "json")
    assert len(json_patch({"a": [1]}, [double] * 3)["a"]) == 4


def test_a_json_patch_cannot_nest_without_end() -> None:
    path, patch = "", []
    for _ in range(200):
        path += "/a"
        patch.append({"op": "add", "path": path, "value": {}})
    with pytest.raises(BadRequest, match="levels deep"):
        apply_patch({}, patch, "json")


def test_custom_resources_take_no_strategic_merge() -> None:
    with pytest.raises(UnsupportedMediaType, match="merge-patch"):
        apply_patch({}, {}, "strategic")
