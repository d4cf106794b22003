"""Writes docs/kubernetes-support.md: every command of the guide, and what it did on a lab.

    ci/kubernetes_support.py            runs the commands on a lab (two minutes), then writes
    ci/kubernetes_support.py --check    exit 1 when the page lacks a command, or has one too many

The commands are in tests/interop/kube_api/guide_commands.yaml; the test beside it runs them.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ROOT / "tests/interop/kube_api/guide_commands.yaml"
TEST = "tests/interop/kube_api/test_guide_commands.py"
PAGE = ROOT / "docs/kubernetes-support.md"
WIDTH = 90
"""Characters of output that a row shows."""

HEAD = (
    "# The guide's commands on the lab\n\n"
    "Every command of the operators' troubleshooting guide, typed into real kubectl against "
    "`beskar7 up` with four hosts (and one that is lost), two managers, two machines. This page is "
    "made by `ci/kubernetes_support.py` from what the commands did; `{test}` runs them all, and "
    "fails when one no longer does what is said here.\n\n"
    "kubectl 1.27 and 1.37 are tested beside it (`tests/interop`). Two things differ by version: "
    "`exec` needs 1.31 or newer, for older ones speak SPDY only, which the lab does not; and "
    "`port-forward` is refused to every kubectl for the same reason (it tunnels SPDY through its "
    "WebSocket), with the address at which the pod's ports are open. Client libraries, which use "
    "the plain WebSocket channels, have both.\n\n"
    "kubectl {version}. {works} work, {noted} work with a note, {refused} refused as must be, "
    "{cannot} cannot work and say why.\n"
)
ROWS = re.compile(r"^\| `+ ?(.*?) ?`+ \| (works|works \(note\)|refused|cannot) \|", re.M)
_VARIES = (
    (re.compile(r"(beskar7-controller-manager)-[a-z0-9]{6,10}-[a-z0-9]{5}"), r"\1-..."),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
)


def read_commands() -> list[dict[str, Any]]:
    """In the order of the guide, each with its section."""
    sections = yaml.safe_load(COMMANDS.read_text(encoding="utf-8"))
    return [
        {"section": section["section"], **command}
        for section in sections
        for command in section["commands"]
    ]


def verdict(command: dict[str, Any]) -> str:
    if "cannot" in command:
        return "cannot"
    if "refused" in command:
        return "refused"
    return "works (note)" if "note" in command else "works"


def one_line(text: str) -> str:
    """A command as a table cell holds it."""
    joined = re.sub(r"\s*\\\n\s*", " ", text.strip())
    return re.sub(r"\s*\n\s*", "; ", joined).replace("|", "\\|")


def brief(command: dict[str, Any], output: str) -> str:
    """The line of the output that matters, cut to a row's width."""
    lines = [line.strip() for line in output.strip().splitlines() if line.strip()]
    wanted = re.compile(command["prints"], re.M)
    match = wanted.search(output)
    telling = [line for line in lines if wanted.search(line)]
    line = (telling or lines or [""])[0]
    if not lines:
        return "(nothing)"
    if not telling and match:
        line = (match.group().strip().splitlines() or [line])[0]
    for pattern, put in _VARIES:
        line = pattern.sub(put, line)
    line = re.sub(r"\s+", " ", line)
    more = f" (and {len(lines) - 1} more lines)" if len(lines) > 1 else ""
    return (line if len(line) <= WIDTH else line[: WIDTH - 3] + "...") + more


def code(text: str) -> str:
    """Inline code that may hold backquotes."""
    if not text:
        return ""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def page(commands: list[dict[str, Any]], results: dict[str, dict[str, Any]], version: str) -> str:
    verdicts = [verdict(command) for command in commands]
    parts = [
        HEAD.format(
            test=TEST,
            version=version,
            works=verdicts.count("works"),
            noted=verdicts.count("works (note)"),
            refused=verdicts.count("refused"),
            cannot=verdicts.count("cannot"),
        )
    ]
    section = ""
    for command in commands:
        if command["section"] != section:
            section = command["section"]
            parts.append(
                f"\n## {section}\n\n| command | result | it printed | note |\n|---|---|---|---|\n"
            )
        result = results.get(command["run"])
        printed = "(not run: a program is missing)" if result is None else result["output"]
        said = brief(command, printed).replace("|", "\\|")
        reasons = (command.get(key) for key in ("cannot", "refused", "note"))
        note = next((reason for reason in reasons if reason), "").replace("|", "\\|")
        if "as" in command:
            note += f"; typed: {code(one_line(command['as']))}"
        row = (code(one_line(command["run"])), verdict(command), code(said), note)
        parts.append("| " + " | ".join(row) + " |\n")
    return "".join(parts)


def problems(text: str, commands: list[dict[str, Any]]) -> list[str]:
    """Where the page and the commands differ, in commands or in verdicts."""
    shown = dict(ROWS.findall(text))
    known = {one_line(command["run"]): verdict(command) for command in commands}
    found = [f"missing: {name}" for name in known if name not in shown]
    found += [f"no longer there: {name}" for name in shown if name not in known]
    found += [
        f"{shown[name]} on the page, {result} by the tests: {name}"
        for name, result in known.items()
        if name in shown and shown[name] != result
    ]
    return found


def run_commands() -> tuple[dict[str, dict[str, Any]], str]:
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(scratch) / "results.json"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", TEST],
            cwd=ROOT,
            env={
                **os.environ,
                "CI": "true",
                "BESKAR7_INTEROP": "1",
                "KUBERNETES_SUPPORT_RESULTS": str(results),
            },
            check=False,
        )
        if done.returncode:
            sys.exit("a command did not do what it should; the page stays as it was")
        found = json.loads(results.read_text(encoding="utf-8"))
    version = subprocess.run(
        ["kubectl", "version", "--client", "-o", "json"], capture_output=True, text=True, check=True
    )
    client = json.loads(version.stdout)["clientVersion"]["gitVersion"]
    return {result["run"]: result for result in found}, re.sub(r"^v|-.*", "", client)


def main(argv: list[str]) -> int:
    commands = read_commands()
    if argv[1:] == ["--check"]:
        found = problems(PAGE.read_text(encoding="utf-8") if PAGE.exists() else "", commands)
        for line in found:
            print(line, file=sys.stderr)
        return 1 if found else 0
    PAGE.write_text(page(commands, *run_commands()), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {len(commands)} commands")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
