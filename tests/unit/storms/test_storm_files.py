"""A storm's document is read, or its mistake is named with line and field."""

from __future__ import annotations

import pytest

from beskar7.api.documents import parse
from beskar7.api.problems import DocumentError
from emulator.kube.inprocess import LatencyModel
from scenarios.storms.play import play_storm, refused
from scenarios.storms.storm import Storm, is_storm, read_storm
from scenarios.sweep.axes import read_axis, zipped
from scenarios.sweep.design import design

pytestmark = pytest.mark.unit

TEXT = """
storm:
  machines: 11
  mode: shards
  managers: 3
  algorithm: first-available
  api: {request: 20ms, delivery: 50ms, sigma: 1}
  processor: 2ms
"""


def test_a_storm_is_read() -> None:
    document = parse(TEXT, "s.yaml")
    assert is_storm(document)
    storm = read_storm(document)
    api = LatencyModel(0.02, 0.05, 1.0)
    assert storm == Storm(11, 1.2, 3, "shards", "first-available", api, 0.002)
    assert storm.hosts == 14
    assert read_storm(parse("storm: {machines: 1}", "s.yaml")) == Storm(1)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("machines: 11", "machines: 6000", "s.yaml:3: storm.machines: is 6000; it has to be"),
        ("mode: shards", "mode: shard", 's.yaml:4: storm.mode: "shard" is unknown; did you mean'),
        ("first-available", "first", "s.yaml:6: storm.algorithm: "),
        ("request: 20ms", "request: 20", "s.yaml:7: storm.api.request: 20 has no unit"),
        ("sigma: 1", "sigmas: 1", "storm.api.sigmas: unknown field"),
        ("processor", "processors", "storm.processors: unknown field"),
        ("storm:", "load: {}\nstorm:", "load: unknown field"),
    ],
)
def test_a_mistake_is_named(old: str, new: str, says: str) -> None:
    with pytest.raises(DocumentError) as error:
        read_storm(parse(TEXT.replace(old, new), "s.yaml"))
    assert says in str(error.value)


def test_a_level_that_cannot_play_it_says_so_before_anything_is_played() -> None:
    assert refused(Storm(1), "code") == refused(Storm(1, processor=1.0), "model") == ""
    with pytest.raises(ValueError, match=r"storm\.processor"):
        play_storm("code", Storm(1, processor=1.0), 1)
    for level, says in (("live", "in virtual time only"), ("code", "storm.processor")):
        with pytest.raises(DocumentError, match=says):
            design(
                parse(TEXT, "s.yaml"),
                source="s.yaml",
                groups=[zipped([read_axis("storm.machines=1,2")])],
                seeds=range(1, 3),
                fidelity=level,  # type: ignore[arg-type]  # of the list above
            )
