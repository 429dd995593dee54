"""Which examination does each kind of contract get?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from framework.spec.examine.files import FileExamination
from framework.spec.examine.grouped import GroupedExamination
from framework.spec.examine.mapped import MappedExamination
from framework.spec.examine.quality import say_quality
from framework.spec.examine.query import QueryExamination
from framework.spec.table import FileTable, GroupedTable, MappedTable, QueryTable, Table

if TYPE_CHECKING:
    from framework.spec.examine.around import Around
    from framework.spec.examine.contract import Examination
    from framework.spec.facts import Facts
    from framework.spec.problem import Problem
    from framework.spec.reading import Contract

EXAMINATIONS: dict[type[Table], type[Examination]] = {
    FileTable: FileExamination,
    MappedTable: MappedExamination,
    GroupedTable: GroupedExamination,
    QueryTable: QueryExamination,
}


def examined(contract: Contract, around: Around) -> tuple[Facts, list[Problem]]:
    """Return what follows from a contract, and what is wrong in it."""
    examination = EXAMINATIONS[type(contract.table)](contract, around)
    say_quality(examination)
    return examination.examine()
