"""The command blocks of the guide, and what each is expected to do; none of its text is here.

A block is known by its number, its heading and a digest of its text, so that what is said of it
is said of that text. ``blocks.yaml`` holds the expectations.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

import yaml

EXPECTATIONS = Path(__file__).with_name("blocks.yaml")
MAX_GUIDE = 1 << 20
"""Bytes of a guide that is read."""
Result = Literal["works", "works with a note", "cannot work"]
RESULTS: tuple[Result, ...] = ("works", "works with a note", "cannot work")


class GuideError(Exception):
    """The guide, or what is expected of it, does not read as it should; for the user's eyes."""


@dataclass(frozen=True, slots=True)
class Block:
    """``language``: bash, yaml, json."""

    number: int
    heading: str
    language: str
    text: str

    @property
    def digest(self) -> str:
        return sha256(self.text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a block does on a lab, and what a reader should know of it.

    ``run``: the command that is given the block's file, as ``$BLOCK``. ``exit``: its exit code;
    None: whatever that of its last command is; -1: it has to be running still at ``limit``
    seconds, and is ended. ``prints`` and ``lacks`` are regular expressions of its output.
    ``before`` and ``after`` are commands around it, to make the state that it is about and to put
    the lab back. ``secret``: nothing of the output is kept.
    """

    number: int
    heading: str
    digest: str
    result: Result
    why: str
    run: str
    exit: int | None
    limit: float
    prints: tuple[str, ...]
    lacks: tuple[str, ...]
    before: str
    after: str
    secret: bool


def read_guide(path: Path) -> list[Block]:
    """The fenced blocks, numbered from 0.

    Raises:
        GuideError: the file cannot be read, or has no blocks.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_GUIDE + 1).decode()
    except OSError as error:
        raise GuideError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise GuideError(f"{path}: is not UTF-8 text") from None
    if len(text) > MAX_GUIDE:
        raise GuideError(f"{path}: is larger than {MAX_GUIDE} bytes")
    found: list[Block] = []
    section = heading = language = ""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("```") and language:
            found.append(Block(len(found), heading, language, "\n".join(lines) + "\n"))
            language = ""
        elif line.startswith("```"):
            language, lines = line[3:].strip() or "text", []
        elif language:
            lines.append(line)
        elif title := re.match(r"##+\s+(.*)|\*\*(.*?):?\*\*", line):
            section = title.group(1) if re.match("###? ", line) else section
            part = title.group(2) or title.group(1)
            heading = section if part == section else f"{section}: {part}"
    if not found:
        raise GuideError(f"{path}: has no command blocks")
    return found


def read_expected(path: Path = EXPECTATIONS) -> list[Expected]:
    """Raises GuideError where the file does not say what it has to."""
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = []
    for row in rows:
        try:
            found.append(
                Expected(
                    number=int(row["block"]),
                    heading=str(row["heading"]),
                    digest=str(row["digest"]),
                    result=row["result"],
                    why=str(row.get("why", "")),
                    run=str(row.get("run", "bash $BLOCK")),
                    exit=row.get("exit", 0),
                    limit=float(row.get("limit", 60)),
                    prints=tuple(row.get("prints", ())),
                    lacks=tuple(row.get("lacks", ())),
                    before=str(row.get("before", "")),
                    after=str(row.get("after", "")),
                    secret=bool(row.get("secret", False)),
                )
            )
        except KeyError as error:
            raise GuideError(f"{path.name}: block {row.get('block')}: {error} is missing") from None
    for each in found:
        if each.result not in RESULTS:
            raise GuideError(f"{path.name}: block {each.number}: result is {each.result!r}")
        if each.result != "works" and not each.why:
            raise GuideError(f"{path.name}: block {each.number}: has to say why")
    return found


def match(blocks: Sequence[Block], expected: Sequence[Expected]) -> list[tuple[Block, Expected]]:
    """Each block with what is expected of it.

    Raises:
        GuideError: the guide is another one than the expectations are about, naming the block.
    """
    if len(blocks) != len(expected):
        raise GuideError(f"the guide has {len(blocks)} blocks; {len(expected)} are expected")
    for block, wanted in zip(blocks, expected, strict=True):
        if (block.number, block.digest) != (wanted.number, wanted.digest):
            raise GuideError(
                f"block {block.number} ({block.heading}) has the digest {block.digest}, "
                f"and what is expected is about {wanted.digest}"
            )
    return list(zip(blocks, expected, strict=True))


def shortfalls(wanted: Expected, code: int, output: str) -> list[str]:
    """How what a block did differs from what is expected; ``code`` -1: it had to be ended."""
    found = []
    if code != wanted.exit and (wanted.exit is not None or code == -1):
        found.append(f"exit code {code}, expected {wanted.exit}")
    found += [f"no {each!r}" for each in wanted.prints if not re.search(each, output, re.M)]
    found += [f"{each!r} is there" for each in wanted.lacks if re.search(each, output, re.M)]
    return found


def telling(wanted: Expected, output: str, width: int = 90) -> list[str]:
    """The first line of the output that each of ``prints`` is about, cut to ``width``."""
    if wanted.secret:
        return []
    found = []
    for pattern in wanted.prints:
        at = re.search(pattern, output, re.M)
        if at is None or not at.group().strip():
            continue
        first = output.rfind("\n", 0, at.start()) + 1
        line = _STYLES.sub("", output[first : output.find("\n", at.start()) + 1 or None]).strip()
        for varying, put in _VARIES:
            line = varying.sub(put, line)
        line = re.sub(r"\s+", " ", line)
        found.append(line if len(line) <= width else line[: width - 3] + "...")
    return list(dict.fromkeys(found))


_STYLES = re.compile(r"\x1b\[[0-9;]*m")
_VARIES = (
    (re.compile(r"(beskar7-controller-manager)-[a-z0-9]{6,10}-[a-z0-9]{5}"), r"\1-..."),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"(http://127\.\d+\.\d+\.\d+):\d+"), r"\1:PORT"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(r"^\w{3} \w{3} +\d+ [\d:]+ \w+ \d{4}: "), "DATE: "),
)
