"""What a failed test says of its lab, and what is kept of it."""

from __future__ import annotations

import hashlib
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from beskar7_harness.lab import Lab

MAX_NAME = 120
"""Characters of a folder's name; file systems allow 255 bytes."""
TOLD = 2
"""Objects whose timelines are shown; all of them are in what is kept."""
REPLAY = "replay.txt"


def folder_of(root: Path, nodeid: str) -> Path:
    """The folder of a test: its id, as far as a file's name can hold it."""
    safe = "".join(c if c.isalnum() or c in "-_.[]" else "_" for c in nodeid.replace("::", "__"))
    if safe != nodeid.replace("::", "__").replace("/", "_") or len(safe) > MAX_NAME:
        # Two tests whose ids differ only in what was replaced must not share a folder.
        safe = f"{safe[:MAX_NAME]}-{hashlib.sha256(nodeid.encode()).hexdigest()[:8]}"
    return root / safe


def save(root: Path, nodeid: str, lab: Lab, reason: str) -> Path:
    """Keep the lab's logs in the folder of the test, in place of those of a run before."""
    folder = folder_of(root, nodeid)
    if (folder / REPLAY).exists():
        shutil.rmtree(folder)
    said = [f"test        {nodeid}", *facts(lab), f"again       {again(nodeid, lab)}"]
    lab.save(folder, reason)
    (folder / REPLAY).write_text("\n".join(said) + "\n", encoding="utf-8")
    return folder


def again(nodeid: str, lab: Lab) -> str:
    return f"pytest {shlex.quote(nodeid)} --beskar7-seed {lab.seed}"


def facts(lab: Lab) -> list[str]:
    """Clock and seed, and of virtual time what tells one run from another."""
    said = [f"clock       {lab.clock}", f"seed        {lab.seed}"]
    if lab.trace_hash is not None:
        said.append(f"trace hash  {lab.trace_hash}")
    return said


def properties(lab: Lab) -> dict[str, object]:
    """For JUnit's report: the same."""
    found: dict[str, object] = {"beskar7_clock": lab.clock, "beskar7_seed": lab.seed}
    if lab.trace_hash is not None:
        found["beskar7_trace_hash"] = lab.trace_hash
    return found


def tell(nodeid: str, lab: Lab, error: BaseException | None) -> Iterator[tuple[str, str]]:
    """Sections of a test's report: how things stand, how to repeat it, what led there."""
    hosts = tuple(getattr(error, "hosts", ()))
    machines = tuple(getattr(error, "machines", ()))
    virtual = lab.clock == "virtual"
    how = " (the same run, to the last write)" if virtual else " (the same luck, not the same run)"
    lines = [
        f"{lab.clock} clock, seed {lab.seed}, {lab.now():.1f} s after it came up",
        lab.situation(),
        *(f"trace hash: {lab.trace_hash}" for _ in range(virtual)),
        f"again: {again(nodeid, lab)}{how}",
    ]
    yield "beskar7 lab", "\n".join(lines)
    named = [("host", name) for name in hosts] + [("machine", name) for name in machines]
    for kind, name in named[:TOLD]:
        yield f"timeline of {name}", lab.timeline(**{kind: name})
    if not named:
        yield "what happened last in the lab", lab.timeline()
