"""Into which periods are rows gathered?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from framework.spec.grammar import EachOnce, Name, Spec

PeriodType = Literal["day", "week", "month", "quarter", "year"]


class Periods(Spec):
    """Each row counts once in a period of each type; adds `period_type` and `period_start`; weeks start on Monday."""

    of: Name = Field(description="The date that places a row in its periods.")
    types: Annotated[list[PeriodType], EachOnce] = Field(min_length=1, description="The types of period, all in one table.")
