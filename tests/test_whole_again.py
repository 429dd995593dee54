"""What cannot be read any more, and so has a table worked out whole."""

from __future__ import annotations

import pytest

from framework.refresh.work import is_gone


@pytest.mark.parametrize(
    "said",
    [
        "[DELTA_FILE_NOT_FOUND_DETAILED] File part-1.parquet referenced in the transaction log cannot be found.",
        "[DELTA_CHANGE_DATA_FILE_NOT_FOUND] File cdc-1.parquet cannot be found.",
        "[UNSUPPORTED_TIME_TRAVEL] Time travel on the relation is not supported.",
        "[COLUMN_MASKS_FEATURE_NOT_SUPPORTED.TIME_TRAVEL] Column mask policies do not support time travel.",
        "[ROW_FILTER_FEATURE_NOT_SUPPORTED] Row filter policies do not support this.",
    ],
)
def test_what_a_table_was_cannot_be_told(said: str) -> None:
    assert is_gone(RuntimeError(said))


def test_other_faults_are_faults() -> None:
    assert not is_gone(RuntimeError("[DIVIDE_BY_ZERO] Division by zero."))
