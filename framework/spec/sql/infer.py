"""What does an expression give, and what is wrong with it?

One walk over the syntax tree works out a `Value` and reports faults on the way. It holds back where it does not know:
an unknown type is compared with everything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from framework.spec.sql.calls import CALLS
from framework.spec.sql.compare import a_kind
from framework.spec.sql.operators import OPERATORS
from framework.spec.sql.values import Value, made_of

if TYPE_CHECKING:
    from sqlglot import exp


class Scope(Protocol):
    """Where an expression finds its columns."""

    def column(self, node: exp.Column, reading: Reading) -> Value:
        """Return what a column reference gives; reports where it leads nowhere."""

    def query(self, node: exp.Expr, reading: Reading) -> Value:
        """Return what a subquery gives; reports where there may be none."""


class Report(Protocol):
    """Takes the faults of one expression."""

    def __call__(self, code: str, node: exp.Expr, what: str, fix: str) -> None:
        """Take one fault at a node."""


@dataclass
class Reading:
    """One reading of one expression; what may stand in it, and what was met."""

    scope: Scope
    report: Report
    may_aggregate: bool = False
    may_window: bool = False
    bound: dict[str, Value] = field(default_factory=dict)
    guarded: set[str] = field(default_factory=set)
    unstable: list[tuple[exp.Expr, str]] = field(default_factory=list)
    is_inside_aggregate: bool = False
    is_sorted: bool = False

    def value(self, node: exp.Expr) -> Value:
        """Return what a node gives."""
        for kind in type(node).__mro__:
            handler = HANDLERS.get(kind)
            if handler:
                return handler(self, node)
        return made_of(self.values(node))

    def values(self, node: exp.Expr) -> list[Value]:
        """Return what the parts of a node give."""
        return [self.value(part) for part in node.iter_expressions()]

    def condition(self, node: exp.Expr) -> Value:
        """Return what a condition gives; reports where it is not true or false."""
        found = self.value(node)
        if found.type.is_known and found.type.family not in {"boolean", "text"}:
            self.report(
                "type-mismatch",
                node,
                f"A condition is expected; this is {a_kind(found.type)}.",
                "compare it with something, such as `> 0`.",
            )
        return found


HANDLERS = {**OPERATORS, **CALLS}
