"""Runs the commands of pages of docs/ as a reader would, and holds what they print to the page.

    ci/doc_commands.py PAGE...

Each page has a scratch folder and one shell. Of a page's fenced blocks, in order:

    ```console                     a line with `$ ` is run, the lines after it are what it prints;
                                   `...` stands for anything, white space does not count
    <!-- file: NAME -->            the next block is kept under this name
    <!-- exit: 1 -->               the next block's last command ends with this status, and not 0
    <!-- stays -->                 the next block's command goes on until the end of the page, is
                                   interrupted then, and has to have ended well

Other blocks are left alone. Exit code 1, with the page's line, at the first that does not hold.
"""

from __future__ import annotations

import doctest
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from markdown_it import MarkdownIt

LIMIT = 600
"""Seconds for a page on a busy machine."""
DONE = "what-the-command-printed-ends-here"
REMARK = re.compile(r"<!-- (file|exit|stays)(?:: (\S+))? -->")


class PageError(Exception):
    """What is wrong with a page, with its name and line."""


@dataclass(frozen=True)
class Command:
    line: int
    text: str
    prints: str
    status: int = 0
    stays: bool = False


@dataclass(frozen=True)
class File:
    name: str
    text: str


def commands(block: str, line: int) -> Iterator[Command]:
    """The commands of a console block whose first line is ``line`` of its page."""
    said: list[str] = []
    command, begun = "", 0
    for number, text in enumerate(block.splitlines(), line):
        if command.endswith("\\") and not said:
            command = f"{command}\n{text}"
        elif text.startswith("$ "):
            if command:
                yield Command(begun, command, "\n".join(said))
            command, begun, said = text[2:], number, []
        else:
            said.append(text)
    if command:
        yield Command(begun, command, "\n".join(said))


def steps(page: str) -> Iterator[Command | File]:
    """What a reader of the page's text does, in order."""
    remarks: dict[str, str] = {}
    for token in MarkdownIt("commonmark").parse(page):
        if token.type == "html_block":
            remarks |= dict(REMARK.findall(token.content))
        elif token.type == "fence" and token.map:
            if "file" in remarks:
                yield File(remarks["file"], token.content)
            elif token.info == "console":
                *before, last = commands(token.content, token.map[0] + 2)
                yield from before
                status, stays = int(remarks.get("exit", 0)), "stays" in remarks
                yield Command(last.line, last.text, last.prints, status, stays)
            remarks = {}


def matches(wanted: str, got: str) -> bool:
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(f"{wanted}\n", f"{got}\n", flags)


class Shell:
    """One bash in a folder: what a command sets, the next one has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = os.environ | {
            "PATH": tools,
            "HOME": str(folder),
            "PYTHONUNBUFFERED": "1",
        }
        self.bash = self.start("bash", stdin=subprocess.PIPE)

    def start(self, *command: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, command: str) -> tuple[str, int]:
        """What it printed on both outputs, and its exit status."""
        assert self.bash.stdin
        assert self.bash.stdout
        self.bash.stdin.write(f"{{ {command}\n}} </dev/null; printf '\\n%s %s\\n' {DONE} $?\n")
        self.bash.stdin.flush()
        said = ""
        for line in self.bash.stdout:
            if line.startswith(DONE):
                return said.strip("\n"), int(line.split()[1])
            said += line
        raise PageError(f"the shell ended: {said}")

    def close(self) -> None:
        """End the shell, and whatever it left behind."""
        kill(self.bash, signal.SIGKILL)


def kill(process: subprocess.Popen[str], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def hold(name: str, command: Command, said: str, status: int) -> None:
    """Compare with the page; raise PageError."""
    where = f"{name}:{command.line}: {command.text}"
    if status != command.status:
        raise PageError(f"{where}\nended with {status}, not {command.status}:\n{said}")
    if not matches(command.prints, said):
        raise PageError(f"{where}\nprinted:\n{said}\nThe page has:\n{command.prints}")


@contextmanager
def staying(shell: Shell, name: str, command: Command) -> Iterator[None]:
    """The command runs inside of this, from when it has printed what the page has."""
    process = shell.start("bash", "-c", f"exec {command.text}")
    said = ""
    try:
        assert process.stdout
        for line in process.stdout:
            said += line
            if matches(command.prints, said):
                break
        else:
            hold(name, command, said, process.wait())
        yield
        kill(process, signal.SIGINT)
        said += process.communicate()[0]
        if process.returncode not in (0, 130):
            raise PageError(f"{name}:{command.line}: ended with {process.returncode}:\n{said}")
    finally:
        kill(process, signal.SIGKILL)


def play(name: str, page: str) -> int:
    """Do what the page says; how many commands that were. Raises PageError."""
    count = 0
    with tempfile.TemporaryDirectory(prefix="beskar7-page-") as folder, ExitStack() as stack:
        shell = Shell(Path(folder))
        stack.callback(shell.close)
        for step in steps(page):
            if isinstance(step, File):
                (Path(folder) / step.name).write_text(step.text, encoding="utf-8")
                continue
            count += 1
            if step.stays:
                stack.enter_context(staying(shell, name, step))
            else:
                hold(name, step, *shell.run(step.text))
    return count


def overdue(*_: object) -> NoReturn:
    raise PageError(f"not done after {LIMIT} s")


def main(argv: list[str]) -> int:
    signal.signal(signal.SIGALRM, overdue)
    for name in argv:
        signal.alarm(LIMIT)
        try:
            count = play(name, Path(name).read_text(encoding="utf-8"))
        except PageError as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            signal.alarm(0)
        print(f"{name}: {count} commands hold")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
