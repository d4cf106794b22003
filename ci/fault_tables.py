"""Writes the tables of docs/faults.md from the register of kinds, or says that they are old.

Usage: python ci/fault_tables.py [--check]
"""

from __future__ import annotations

import sys

from markedpage import main

from emulator.faultkinds import KINDS, Kind, Param

BEGIN, END = "<!-- tables: ci/fault_tables.py -->\n", "<!-- end of tables -->\n"
GROUPS = {
    "transport": "Transport",
    "protocol": "Protocol",
    "semantic": "Semantic",
    "correlated": "Correlated",
}
DRAWN = {
    "connection": "new connection",
    "request": "request",
    "answer": "answer",
    "boot": "boot",
    "span": "start",
}
SCOPES = {
    "any": "",
    "read": " (GET)",
    "system": " (GET of a System or Chassis)",
    "action": " (power, boot, media)",
    "log-in": " (log-in)",
    "session": " (with X-Auth-Token)",
    "update": " (SimpleUpdate)",
}


def _field(param: Param) -> str:
    default = "" if param.default in (None, ()) else f", default {_default(param)}"
    required = ", required" if param.required else ""
    choices = f" ({' '.join(param.choices)})" if param.choices else ""
    return f"`{param.name}`: {param.about}{choices}{default}{required}"


def _default(param: Param) -> str:
    if isinstance(param.default, bool):
        return str(param.default).lower()
    shown = f"{param.default:g}" if isinstance(param.default, int | float) else str(param.default)
    return f"{shown}s" if param.form == "seconds" else shown


def _row(kind: Kind) -> str:
    fields = "; ".join(map(_field, kind.params))
    return f"| `{kind.name}` | {kind.about} | {DRAWN[kind.acts]}{SCOPES[kind.scope]} | {fields} |\n"


def tables() -> str:
    """The tables, one for each group."""
    parts = []
    for group, title in GROUPS.items():
        rows = "".join(_row(kind) for kind in KINDS.values() if kind.group == group)
        head = "| kind | what happens | drawn for each | fields |\n|---|---|---|---|\n"
        parts.append(f"### {title}\n\n{head}{rows}")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.exit(main("faults.md", BEGIN, END, tables))
