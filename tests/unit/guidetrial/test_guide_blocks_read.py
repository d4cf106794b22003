"""The guide's blocks are found and known by their text; what they print is judged and cut."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from guidetrial.blocks import (
    Expected,
    GuideError,
    match,
    read_expected,
    read_guide,
    shortfalls,
    telling,
)
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.unit

GUIDE = """# A guide

## Health

```bash
# no heading of the guide
kubectl version
```

### Queue

#### Commands

```yaml
kind: ConfigMap
```

**At once:**
```bash
true
```
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "guide.md"
    path.write_text(text, encoding="utf-8")
    return path


def wanted(**changes: object) -> Expected:
    fields: dict[str, object] = {
        "number": 0,
        "heading": "h",
        "digest": "d",
        "result": "works",
        "why": "",
        "run": "bash $BLOCK",
        "exit": 0,
        "limit": 1.0,
        "prints": (),
        "lacks": (),
        "before": "",
        "after": "",
        "secret": False,
    }
    return Expected(**{**fields, **changes})  # type: ignore[arg-type] # fields of several types


def test_blocks_have_numbers_headings_and_languages(tmp_path: Path) -> None:
    found = read_guide(written(tmp_path, GUIDE))
    assert [(each.number, each.heading, each.language) for each in found] == [
        (0, "Health", "bash"),
        (1, "Queue: Commands", "yaml"),
        (2, "Queue: At once", "bash"),
    ]
    assert found[0].text == "# no heading of the guide\nkubectl version\n"


@given(st.lists(st.sampled_from(["```", "```bash", "## H", "**B:**", "echo", ""]), max_size=20))
def test_whatever_a_guide_holds_its_blocks_are_numbered_without_gaps(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = tmp_path_factory.mktemp("guide") / "guide.md"
    path.write_text("\n".join(lines), encoding="utf-8")
    found = []
    with suppress(GuideError):
        found = read_guide(path)
    fences = sum(line.startswith("```") for line in lines)
    assert [each.number for each in found] == list(range(fences // 2))


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"only text", "no command blocks"), (b"\xff\xfe", "not UTF-8"), (b"a" * 1_100_000, "larger")],
)
def test_what_is_no_guide_is_refused_with_its_name(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "guide.md"
    path.write_bytes(content)
    with pytest.raises(GuideError, match=said) as caught:
        read_guide(path)
    assert "guide.md" in str(caught.value)
    with pytest.raises(GuideError, match="No such file"):
        read_guide(tmp_path / "missing.md")


def test_another_text_than_the_expected_one_is_named(tmp_path: Path) -> None:
    found = read_guide(written(tmp_path, GUIDE))
    expected = [wanted(number=each.number, digest=each.digest) for each in found]
    assert len(match(found, expected)) == 3
    changed = read_guide(written(tmp_path, GUIDE.replace("kubectl version", "kubectl get ph")))
    with pytest.raises(GuideError, match=r"block 0 \(Health\)"):
        match(changed, expected)
    with pytest.raises(GuideError, match="has 3 blocks; 2 are expected"):
        match(found, expected[:2])


def test_what_a_block_does_is_held_against_what_is_expected() -> None:
    expected = wanted(prints=(r"^\d+$",), lacks=("rror",))
    assert shortfalls(expected, 0, "a\n12\n") == []
    assert len(shortfalls(expected, 1, "an error\n")) == 3
    assert shortfalls(wanted(exit=-1), 0, "") == ["exit code 0, expected -1"]
    assert shortfalls(wanted(exit=-1), -1, "") == []
    assert shortfalls(wanted(exit=None), 7, "") == []
    assert shortfalls(wanted(exit=None), -1, "") == ["exit code -1, expected None"]


def test_the_telling_lines_are_shown_without_what_changes_from_run_to_run() -> None:
    output = (
        "\x1b[0;32mLeader: beskar7-controller-manager-abcdefgh-x1y2z\x1b[0m\n"
        "at http://127.10.0.3:34567\n" + "x" * 200 + "\n"
    )
    shown = telling(wanted(prints=("Leader", "at http", "xxx", "absent")), output)
    assert shown[0] == "Leader: beskar7-controller-manager-..."
    assert shown[1] == "at http://127.10.0.3:PORT"
    assert shown[2] == "x" * 87 + "..."
    assert len(shown) == 3
    assert telling(wanted(prints=("Leader",), secret=True), output) == []


def test_all_27_blocks_have_an_expectation_that_can_fail() -> None:
    expected = read_expected()
    assert [each.number for each in expected] == list(range(27))
    assert all(each.prints for each in expected)
    assert len({each.digest for each in expected}) == 27


def test_an_expectation_without_a_reason_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "blocks.yaml"
    head = "- {block: 3, heading: h, digest: d"
    for row, said in (
        (", result: cannot work}", "has to say why"),
        (", result: maybe}", "result is 'maybe'"),
        ("}", "'result' is missing"),
    ):
        path.write_text(head + row, encoding="utf-8")
        with pytest.raises(GuideError, match=said) as caught:
            read_expected(path)
        assert "block 3" in str(caught.value)
