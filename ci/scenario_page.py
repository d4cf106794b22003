"""Writes ``docs/reference/scenario.md``: the fields of a scenario file, from its JSON Schema.

``--check`` only says whether the page is up to date.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import wholepage

from scenarios.fileschema.command import text

TARGET = Path(__file__).resolve().parents[1] / "docs" / "reference" / "scenario.md"
MOST = 12
"""Values of an enumeration that a table shows; of more it tells the number."""
HEAD = """\
# Scenario files

Written by `python ci/scenario_page.py` from the JSON Schema of scenario files, which comes from the
readers that check them; do not edit. `beskar7 schema` prints it, and
[the scenarios' own page](../../scenarios/README.md) tells how they play.

A field in bold is required. Durations are written as `250ms`, `10s`, `1m30s`. `a[]` is an element
of a list. A condition such as *kind: drip* says which values another field has to have.
"""

Schema = Mapping[str, Any]


def rows(schema: Schema, path: str, when: str = "") -> Iterator[tuple[str, Schema, bool, str]]:
    """(path, schema, required, condition) of every field, those of mappings in it after itself."""
    for name, field in schema.get("properties", {}).items():
        if not isinstance(field, dict) or not field.keys() - {"const", "not", "required"}:
            continue
        here = f"{path}.{name}" if path else name
        needed = name in schema.get("required", ())
        if field.keys() & {"description", "$ref"}:
            yield here, field, needed, when
        for inner in (field, field.get("items", {})):
            if isinstance(inner, dict) and "properties" in inner and "description" in field:
                yield from rows(inner, here if inner is field else f"{here}[]", when)
    for clause in schema.get("allOf", ()):
        if "then" in clause:
            told = ", ".join(part for part in (when, condition(clause["if"])) if part)
            yield from rows(clause["then"], path, told)


def condition(schema: Schema) -> str:
    if "anyOf" in schema:
        return " or ".join(condition(each) for each in schema["anyOf"])
    said = []
    for name, value in schema.get("properties", {}).items():
        values = value.get("enum", [value["const"]] if "const" in value else [])
        shown = ", ".join(str(each).lower() if isinstance(each, bool) else each for each in values)
        said.append(f"{name}: {shown if len(values) <= MOST else f'one of {len(values)}'}")
    return "; ".join(said) or ", ".join(schema.get("required", ()))


def form(schema: Schema) -> str:
    """What the field holds, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(form(each) for each in schema["anyOf"]))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        names = [f"`{each}`" for each in schema["enum"][:MOST]]
        more = len(schema["enum"]) - MOST
        return " ".join(names) + (f" and {more} more" if more > 0 else "")
    if schema.get("type") == "array":
        return f"list of {form(schema['items'])}" + bounds(schema, "minItems", "maxItems")
    if schema.get("type") == "object":
        return "mapping"
    pattern = schema.get("pattern", "")
    if "[nuµm]?s" in pattern:
        return "duration"
    if "[smhd]" in pattern:
        return "rate"
    types = schema.get("type", "")
    if pattern.endswith("%$"):
        return "number or percentage"
    return (types if isinstance(types, str) else "text or number").replace(
        "string", "text"
    ) + bounds(schema, "minimum", "maximum")


def bounds(schema: Schema, low: str, high: str) -> str:
    least, most = schema.get(low), schema.get(high)
    if least is not None and most is not None:
        return f", {least:,} to {most:,}"
    return f", at most {most:,}" if most is not None else ""


def table(schema: Schema) -> list[str]:
    lines = ["| field | holds | default | meaning |", "|---|---|---|---|"]
    for path, field, needed, when in rows(schema, ""):
        name = f"**`{path}`**" if needed else f"`{path}`"
        default = f"`{json.dumps(field['default'])}`" if "default" in field else ""
        meaning = field.get("description", "") + (f" *{when}*" if when else "")
        cells = [name, form(field), default, " ".join(meaning.split())]
        lines.append("| " + " | ".join(each.replace("|", "\\|") for each in cells) + " |")
    return lines


def page() -> str:
    schema = json.loads(text("scenario"))
    lines = [HEAD, "## scenario", "", schema["description"], "", *table(schema), ""]
    for name, part in schema["$defs"].items():
        whole = part
        if "anyOf" in part:
            whole = next(each for each in part["anyOf"] if "properties" in each)
        lines += [f"## {name}", "", whole.get("description", ""), ""]
        others = [form(each) for each in part.get("anyOf", ()) if each is not whole]
        if others:
            lines += [f"Or {', '.join(others)}.", ""]
        lines += [*table(whole), ""]
    return "\n".join(lines).rstrip() + "\n"


def main(arguments: list[str] | None = None) -> int:
    return wholepage.main(TARGET, page, __file__, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
