"""The guide's command blocks, run literally on a lab: each does what the page says of it.

The guide is no part of this project: ``BESKAR7_GUIDE`` is the path of its text. A quarter of an
hour, most of it the blocks' own waiting.
"""

from __future__ import annotations

import os
import select
import shutil
from pathlib import Path

import pytest
from guidetrial.blockrun import lab, run_blocks, shell
from guidetrial.blocks import match, read_expected, read_guide

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800)]

GUIDE = os.environ.get("BESKAR7_GUIDE", "")


@pytest.mark.skipif(not GUIDE, reason="BESKAR7_GUIDE does not say where the guide's text is")
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_every_block_does_what_is_said_of_it() -> None:
    pairs = match(read_guide(Path(GUIDE)), read_expected())
    with lab() as environment:
        wrong = {
            done.block.number: (done.shortfalls, done.output[-800:])
            for done in run_blocks(pairs, environment)
            if done.shortfalls
        }
    assert wrong == {}


def test_what_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"]}
    code, output = shell(
        "sleep 300 & echo $!; while true; do :; done", environment, str(tmp_path), 1.0
    )
    assert code == -1
    assert _ends(int(output))
    assert shell("echo told; exit 3", environment, str(tmp_path), 20.0) == (3, "told\n")


def _ends(pid: int) -> bool:
    """Whether it is gone, or a zombie that its new parent has not reaped yet, within 10 s."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], 10.0)[0])
    finally:
        os.close(process)
