"""The loader is strict: nothing changes its meaning on the way from YAML to values."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
