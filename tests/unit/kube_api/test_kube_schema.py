"""Structural schemas: pruning, defaulting, validation and its words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.kube.kinds.schema import Schema, SchemaError, field_path

pytestmark = pytest.mark.unit

SCHEMA = Schema(
    {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "required": ["address"],
                "properties": {
                    "address": {"type": "string", "pattern": "^https?://", "maxLength": 20},
                    "insecure": {"type": "boolean", "default": False},
                    "mode": {"type": "string", "enum": ["UEFI", "Legacy"], "default": "UEFI"},
                    "port": {"type": "integer", "format": "int32", "minimum": 1},
                    "note": {"type": "string", "nullable": True, "default": "n"},
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                    "tags": {"type": "object", "additionalProperties": {"type": "string"}},
                    "either": {"x-kubernetes-int-or-string": True},
                    "when": {"type": "string", "format": "date-time"},
                    "disks": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "properties": {
                                "size": {"type": "integer"},
                                "bus": {"type": "string", "default": "nvme"},
                            },
                        },
                    },
                },
            }
        },
    }
)


def causes(**spec: Any) -> list[tuple[str, str, str]]:
    found = SCHEMA.causes({"spec": {"address": "http://a", **spec}})
    return [(cause.field, cause.reason, cause.message) for cause in found]


def test_unknown_fields_are_pruned_and_named() -> None:
    obj = {
        "kind": "K",
        "metadata": {"name": "n", "anything": 1},
        "other": 1,
        "spec": {"address": "a", "x": 1, "free": {"y": 2}, "disks": [{"size": 1, "z": 3}]},
    }
    kept, unknown = SCHEMA.prune(obj)
    assert unknown == ["other", "spec.x", "spec.disks[0].z"]
    assert kept["metadata"] == obj["metadata"]
    assert kept["spec"] == {"address": "a", "free": {"y": 2}, "disks": [{"size": 1}]}


def test_defaults_fill_only_what_is_missing() -> None:
    filled = SCHEMA.default({"spec": {"insecure": True, "disks": [{}], "mode": None}})
    assert filled["spec"] == {
        "insecure": True,
        "mode": "UEFI",  # null is not allowed there, so it counts as missing
        "note": "n",
        "disks": [{"bus": "nvme"}],
    }
    assert SCHEMA.default({"spec": {"note": None}})["spec"]["note"] is None
    assert SCHEMA.default({}) == {}


def test_a_valid_object_has_no_causes() -> None:
    assert causes(port=1, either="50%", tags={"a": "b"}, when="2026-01-01T00:00:00Z") == []
    assert causes(either=5, note=None) == []


@pytest.mark.parametrize(
    ("spec", "field", "reason", "words"),
    [
        ({"address": 5}, "spec.address", "FieldValueTypeInvalid", 'must be of type string: "in'),
        ({"address": "x"}, "spec.address", "FieldValueInvalid", "should match '^https?://'"),
        ({"address": "http://" + "a" * 20}, "spec.address", "FieldValueTooLong", "more than 20"),
        ({"mode": "BIOS"}, "spec.mode", "FieldValueNotSupported", 'values: "UEFI", "Legacy"'),
        ({"port": 0}, "spec.port", "FieldValueInvalid", "greater than or equal to 1"),
        ({"port": 2**31}, "spec.port", "FieldValueInvalid", "less than or equal to 2147483647"),
        ({"port": True}, "spec.port", "FieldValueTypeInvalid", "must be of type integer"),
        ({"disks": []}, "spec.disks", "FieldValueInvalid", "at least 1 items"),
        ({"disks": [{"size": "1"}]}, "spec.disks[0].size", "FieldValueTypeInvalid", "integer"),
        ({"tags": {"a": 1}}, "spec.tags.a", "FieldValueTypeInvalid", "string"),
        ({"free": None}, "spec.free", "FieldValueTypeInvalid", '"null"'),
        ({"when": "yesterday"}, "spec.when", "FieldValueInvalid", "date-time"),
    ],
)
def test_causes_name_field_reason_and_limit(
    spec: dict[str, Any], field: str, reason: str, words: str
) -> None:
    ((found_field, found_reason, message),) = causes(**spec)
    assert (found_field, found_reason) == (field, reason)
    assert words in message


def test_a_missing_field_is_named_by_its_own_path() -> None:
    (cause,) = SCHEMA.causes({"spec": {}})
    assert (cause.field, cause.reason, cause.message) == (
        "spec.address",
        "FieldValueRequired",
        "Required value",
    )


@pytest.mark.parametrize("bad", [{"type": "objet"}, {"properties": {"a": {"pattern": "("}}}])
def test_an_unusable_schema_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(SchemaError):
        Schema(bad)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["address", "disks", "size", "free", "tags", "x"]), inner, max_size=4
        ),
    ),
    max_leaves=12,
)


@given(JSON)
def test_pruning_twice_is_pruning_once_and_defaults_survive_it(spec: Any) -> None:
    pruned, _ = SCHEMA.prune({"spec": spec})
    again, unknown = SCHEMA.prune(pruned)
    assert (again, unknown) == (pruned, [])
    filled = SCHEMA.default(pruned)
    assert SCHEMA.default(filled) == filled
    assert SCHEMA.prune(filled) == (filled, [])


def test_paths_are_written_as_kubernetes_does() -> None:
    assert field_path(["spec", "disks", 0, "size"]) == "spec.disks[0].size"
