"""Writes ``docs/reference/cli.md`` from the parsers of the ``beskar7`` command.

``--check`` only says whether the page is up to date.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import wholepage

from beskar7.cli import parser_of

TARGET = Path(__file__).resolve().parents[1] / "docs" / "reference" / "cli.md"
HEAD = """\
# Commands

Written by `python ci/cli_page.py` from the code; do not edit. `beskar7 COMMAND --help` says the
same.

Exit codes of all commands: 0 it is done, and what was judged held; 1 something fell short; 2 bad
input, told with file, line and field or with the option; 130 interrupted.
"""
FLAGS = "../configuration.md#the-flags-of-beskar7-manager"
ELSEWHERE = {"manager": f"Its flags are in [Configuration]({FLAGS})."}


def commands(
    parser: argparse.ArgumentParser, told: str = ""
) -> Iterator[tuple[argparse.ArgumentParser, str]]:
    """Every command that does something, with its help; those of commands after their own."""
    inner = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    if not inner:
        yield parser, told
    for action in inner:
        helps = {each.dest: each.help or "" for each in action._choices_actions}
        for name in sorted(action.choices):
            yield from commands(action.choices[name], helps.get(name, ""))


def metavar(action: argparse.Action) -> str:
    """What stands for the value of an option or argument."""
    if action.nargs == 0:
        return ""
    if action.metavar is not None:
        names = action.metavar
        text = names if isinstance(names, str) else " ".join(names)
    elif action.choices is not None:
        text = "{" + ",".join(map(str, action.choices)) + "}"
    else:
        text = action.dest.upper() if action.option_strings else action.dest
    return {"?": f"[{text}]", "*": f"[{text} ...]", "+": f"{text} [{text} ...]"}.get(
        str(action.nargs), text
    )


def synopsis(parser: argparse.ArgumentParser) -> list[str]:
    """The command line, wrapped as it grows."""
    words = []
    for action in shown(parser):
        value = metavar(action)
        if not action.option_strings:
            words.append(value)
            continue
        word = f"{action.option_strings[0]} {value}".rstrip()
        words.append(word if action.required else f"[{word}]")
    lines, line = [], parser.prog
    for word in words:
        if len(line) + len(word) >= 96:
            lines.append(line)
            line = "    " + word
        else:
            line += f" {word}"
    return [*lines, line]


def shown(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """What it takes, but for ``--help``; arguments before options."""
    found = [
        action
        for action in parser._actions
        if action.help != argparse.SUPPRESS and action.dest != "help"
    ]
    return sorted(found, key=lambda action: bool(action.option_strings))


def default_of(action: argparse.Action) -> str:
    value: Any = action.default
    if value in (None, "", False, [], (), argparse.SUPPRESS) or action.nargs == 0:
        return ""
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"`{text}`"


def help_of(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    return parser._get_formatter()._expand_help(action) if action.help else ""


def cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def section(parser: argparse.ArgumentParser, told: str) -> list[str]:
    name = parser.prog.removeprefix("beskar7 ")
    text = parser.description or told
    lines = [f"## {name}", "", text[:1].upper() + text[1:].rstrip(".") + ".", ""]
    if name in ELSEWHERE:
        return [*lines, ELSEWHERE[name], ""]
    lines += ["```", *synopsis(parser), "```", ""]
    actions = shown(parser)
    if actions:
        lines += ["| option | default | meaning |", "|---|---|---|"]
    for action in actions:
        names = ", ".join(f"`{each}`" for each in action.option_strings)
        value = metavar(action)
        named = f"{names} `{value}`" if names and value else names or f"`{value}`"
        needed = "required. " if action.required and names else ""
        meaning = needed + cell(help_of(parser, action))
        lines.append(f"| {cell(named)} | {cell(default_of(action))} | {meaning} |")
    return [*lines, ""]


def page() -> str:
    with mock.patch.dict(os.environ, clear=True):
        found = list(commands(parser_of("")))
    return (
        HEAD + "\n" + "\n".join(line for each in found for line in section(*each)).rstrip() + "\n"
    )


def main(arguments: list[str] | None = None) -> int:
    return wholepage.main(TARGET, page, __file__, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
