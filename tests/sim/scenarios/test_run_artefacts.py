"""What a run leaves behind: equal for equal runs, and of a planted defect enough to find it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from beskar7.api.kinds import PHYSICAL_HOST
from emulator.kube import admission
from emulator.kube.store.store import Store
from scenarios.engine.keeping import save
from scenarios.engine.story.entries import entries
from scenarios.engine.story.kept import read
from scenarios.engine.story.text import story

pytestmark = pytest.mark.sim

RIVALS = """\
name: rivals
world:
  hosts: {count: 3, scale: {boot: 0.005, latency: 0.05}}
  managers: {replicas: 2, args: {leader-elect: false}}
  config: {provisioning.bmcCooldownPeriod: 1s}
load: {machines: 4}
limits: {timeout: 60s, enrol_timeout: 60s}
"""


def test_equal_runs_leave_equal_timelines(play: Any, tmp_path: Path) -> None:
    alone = RIVALS.replace("replicas: 2", "replicas: 1")
    for name in ("one", "two"):
        save(play(alone), tmp_path / name)
    for file in ("timeline.html", "timeline.txt", "violations.jsonl.gz", "writes.jsonl.gz"):
        one, two = (tmp_path / name / file for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes(), file
        assert one.stat().st_size > 0
    save(play(alone, seed=8), tmp_path / "three")
    html = (tmp_path / "three" / "timeline.html").read_bytes()
    assert html != (tmp_path / "one" / "timeline.html").read_bytes()


def test_a_claim_without_a_version_is_told_by_its_writes(
    play: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted defect: whoever claims last owns the host, and no webhook objects."""
    update = Store.update

    def careless(self: Store, kind: Any, obj: Any, **options: Any) -> Any:
        if kind == PHYSICAL_HOST and obj["spec"].get("consumerRef"):
            meta = obj["metadata"]
            newest = self.get(kind, meta["namespace"], meta["name"]).copy()["metadata"]
            obj = obj | {"metadata": meta | {"resourceVersion": newest["resourceVersion"]}}
        return update(self, kind, obj, **options)

    monkeypatch.setattr(Store, "update", careless)
    monkeypatch.setattr(admission, "install", lambda store: store)
    result = play(RIVALS, seed=1)
    stolen = [v for v in result.violations if "without being free" in v.detail]
    assert stolen, "the defect did not show: choose another seed"
    save(result, tmp_path)
    text = (tmp_path / "timeline.txt").read_text()
    theft = stolen[0]
    chapter = text.partition(f"=== {theft.host}:")[2].partition("\n===")[0]
    number = theft.writes[-1]
    (write,) = [line for line in chapter.splitlines() if f" w{number} " in line]
    assert write.lstrip().startswith("*")
    assert f"-> {theft.machine}" in write
    following = chapter[chapter.index(write) :].splitlines()
    assert any(line.startswith(">>>") and "single-owner" in line for line in following[1:3])
    recording = read(tmp_path)
    assert story(recording, entries(recording)) == text, "the kept logs tell the same"
    data = (tmp_path / "timeline.html").read_text().partition('id="data">')[2]
    told = json.loads(data.partition("</script>")[0])
    assert f"w{number}" in {ref for violation in told["violations"] for ref in violation["refs"]}
