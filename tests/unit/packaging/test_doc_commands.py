"""ci/doc_commands.py plays a page as a reader would, and says where a page is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

SCRIPT = Path(__file__).parents[3] / "ci" / "doc_commands.py"


def play(folder: Path, text: str) -> tuple[int, str]:
    """Exit code and output for a page with this text, of which ~~~ stands for the fences."""
    page = folder / "page.md"
    page.write_text(text.replace("~~~", "```"))
    done = subprocess.run(
        [sys.executable, str(SCRIPT), page.name],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_page_that_holds(tmp_path: Path) -> None:
    text = """# Page

<!-- file: names.txt -->
~~~text
one
two
three
~~~

<!-- stays -->
~~~console
$ python -uc "import signal; print('up'); signal.pause()"
up
~~~

~~~console
$ export NAME=tw
$ grep $NAME \\
    names.txt
two
$ cat names.txt
one
...
~~~

~~~sh
exit 7
~~~

<!-- exit: 1 -->
~~~console
$ echo $NAME; grep four names.txt
tw
~~~
"""
    # What stays is interrupted, and has to end well by that.
    status, said = play(tmp_path, text)
    assert status == 1
    assert "KeyboardInterrupt" in said
    obeys = "import signal, sys; signal.signal(2, lambda *_: sys.exit())"
    text = text.replace("import signal", obeys)
    assert play(tmp_path, text) == (0, "page.md: 5 commands hold\n")


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ("$ echo one\ntwo\n", "page.md:2: echo one\nprinted:\none\nThe page has:\ntwo"),
        ("$ echo one\n", "page.md:2: echo one\nprinted:\none\n"),
        ("$ true\n$ false\n", "page.md:3: false\nended with 1, not 0"),
        ("$ exit 3\n", "the shell ended"),
    ],
)
def test_a_page_that_does_not_hold_is_told_with_its_line(
    tmp_path: Path, block: str, complaint: str
) -> None:
    status, said = play(tmp_path, f"~~~console\n{block}~~~\n")
    assert status == 1
    assert complaint in said
