"""The loader is strict: nothing changes its meaning on the way from YAML to values."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from framework.spec.load import load, scalar
from framework.spec.problem import ContractError, Place

if TYPE_CHECKING:
    from pathlib import Path


def test_words_that_yaml_would_change_stay_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text("{a: NO, b: 012, c: 12:30:00, d: 1e3, e: yes, f: 0x1F, g: '1', h: 1, i: true, j: null, k: 1.50}")
    assert load(path).value == {
        "a": "NO",
        "b": "012",
        "c": "12:30:00",
        "d": "1e3",
        "e": "yes",
        "f": "0x1F",
        "g": "1",
        "h": 1,
        "i": True,
        "j": None,
        "k": 1.5,
    }


def test_places_count_from_one_and_survive_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text("a:\n  - b: c\n", encoding="utf-8-sig")
    document = load(path)
    assert document.key(("a", 0, "b")) == Place(path, 2, 5, 1)
    assert document.place(("a", 0, "b")) == Place(path, 2, 8, 1)
    assert document.place(("a", 0, "no", "such")) == document.place(("a", 0))


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in pairwise("abcdefghi"))


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"", "empty-file", 1),
        (b"\n\n# nothing yet\n", "empty-file", 1),
        (b"a: 1\n---\na: 2\n", "several-documents", 2),
        (b"a:\n\tb: 1\n", "invalid-yaml", 2),
        (b"a: [1, 2\nb: 3\n", "invalid-yaml", 2),
        (b"a: 1\nb: caf\xe9\n", "unreadable-file", 2),
        ("a: 1\n".encode("utf-16"), "unreadable-file", 1),
        (b"a: 1\n" * 2_000_000, "file-too-large", 1),
        (BOMB.encode(), "unsupported-yaml", 1),
        (b"a: {x: 1}\nb:\n  <<: {y: 2}\n", "unsupported-yaml", 3),
        (b"a: !!python/object:os.system {}\n", "unsupported-yaml", 1),
        (b"? [a, b]\n: 1\n", "invalid-value", 1),
        (b"a: " + b"[" * 5000 + b"]" * 5000, "invalid-value", 1),
        (b"a: \x07\n", "invalid-yaml", 1),
        (b"a: 1\na: 2\n", "duplicate-key", 2),
        (b"- a: 1\n- a: 1\n  a: 2\n", "duplicate-key", 3),
    ],
)
def test_what_is_no_plain_yaml_is_told_at_its_line(content: bytes, code: str, line: int, tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_bytes(content)
    with pytest.raises(ContractError) as caught:
        load(path)
    assert [(problem.code, problem.where.line) for problem in caught.value.problems] == [(code, line)]


def test_what_only_looks_like_an_anchor_is_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text("a: count(*)\nb: x && y\nc: 'it is!'\nd: a_*.csv\ne: \"*\"\nf: [a*b, R&D]\n")
    assert load(path).value == {"a": "count(*)", "b": "x && y", "c": "it is!", "d": "a_*.csv", "e": "*", "f": ["a*b", "R&D"]}


@pytest.mark.parametrize(
    "text",
    [
        "a: upper(x) + WORD\n",
        "a: '''it''s'' + WORD'\n",
        'a: "concat(\\"x\\", WORD)"\n',
        "a: |\n  one\n    two WORD\n",
        "a: >-\n    one\n    two\n    WORD three\n",
        "a: one\n  two WORD\n",
        "a:\n  - b: |-\n      one\n      WORD\n",
        "a: é ü WORD\n",
    ],
)
def test_a_part_of_a_text_has_its_own_place(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text(text, "utf-8")
    document = load(path)
    loc = next(one for one in document.values if isinstance(document.at(one), str) and "WORD" in document.at(one))
    spot = document.spot(loc, document.at(loc).index("WORD"), 4)
    assert text.split("\n")[spot.line - 1][spot.column - 1 :].startswith("WORD")


@given(st.text(max_size=200))
def test_any_text_loads_or_is_a_problem(tmp_path_factory: object, text: str) -> None:
    path = tmp_path_factory.mktemp("yaml") / "a.yml"  # type: ignore[attr-defined] # pytest's factory
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        load(path)
    except ContractError as error:
        assert error.problems  # noqa: PT017 - either outcome is right, a traceback is not


@given(st.one_of(st.integers(), st.booleans(), st.text(alphabet="abc012:.-eNOyes ", max_size=12)))
def test_a_scalar_is_a_number_only_when_it_reads_back_the_same(value: object) -> None:
    text = yaml.safe_dump(value).split("\n")[0].strip("'")
    found = scalar(text)
    if isinstance(found, int) and not isinstance(found, bool):
        assert str(found) == text
