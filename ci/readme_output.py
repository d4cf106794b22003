"""Puts the real output of a demo run into README.md, between its two marker comments.

    ci/readme_output.py [SUMMARY]       SUMMARY is out/demo/summary.txt unless given (ci/demo
                                        writes it)
    ci/readme_output.py --check         exit 1 when the block is empty

What is left out: what the set-up of the environment says, terminal escapes, lines that a progress
display overwrote, and, where it is longer than 40 lines, the middle, which becomes one line.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path("README.md")
BEGIN = "<!-- demo output: begin, filled by ci/readme_output.py -->"
END = "<!-- demo output: end -->"
HEAD_LINES, TAIL_LINES = 6, 34

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07")
_SETUP = re.compile(r"^(Creating |Installing beskar7-harness)")


def tidy(text: str) -> str:
    """The lines a reader would have been left with on the terminal."""
    lines = [_ESCAPE.sub("", line).split("\r")[-1].rstrip() for line in text.split("\n")]
    lines = [line for line in lines if not _SETUP.match(line)]
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    if len(lines) > HEAD_LINES + TAIL_LINES:
        left_out = len(lines) - HEAD_LINES - TAIL_LINES
        lines[HEAD_LINES:-TAIL_LINES] = [f"  ... {left_out} lines ..."]
    return "\n".join(lines)


def block(readme: str) -> tuple[int, int]:
    """Where the text between the markers begins and ends."""
    begin, end = readme.find(BEGIN), readme.find(END)
    if begin < 0 or end < begin:
        raise SystemExit(f"{README}: the markers of the demo output are missing")
    return begin + len(BEGIN), end


def fill(readme: str, output: str) -> str:
    """``readme`` with ``output`` between the markers."""
    begin, end = block(readme)
    return f"{readme[:begin]}\n```console\n$ make demo\n{tidy(output)}\n```\n{readme[end:]}"


def main(argv: list[str]) -> int:
    readme = README.read_text(encoding="utf-8")
    if "--check" in argv:
        begin, end = block(readme)
        if "$ make demo" not in readme[begin:end]:
            print(f"{README}: the demo output is empty; run ci/demo, then this", file=sys.stderr)
            return 1
        return 0
    summary = Path(argv[1] if len(argv) > 1 else "out/demo/summary.txt")
    if not summary.is_file():
        print(f"{summary} is not there; ci/demo writes it", file=sys.stderr)
        return 1
    README.write_text(fill(readme, summary.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
