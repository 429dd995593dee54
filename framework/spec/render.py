"""How are problems told to people, to GitHub, and to programs that read SARIF or JSON?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from framework.spec.codes import BASES, CODES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from framework.spec.findings import Findings
    from framework.spec.problem import Problem

_SARIF = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def as_records(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Return problems as plain mappings."""
    return [
        {
            "code": problem.code,
            "severity": "warning" if problem.is_warning else "error",
            "file": str(problem.where.path),
            "line": problem.where.line,
            "column": problem.where.column,
            "length": problem.where.length,
            "table": problem.table or None,
            "what": problem.what,
            "why": problem.why,
            "fix": problem.fix,
        }
        for problem in problems
    ]


def as_github(problems: Iterable[Problem], start: Path) -> str:
    """Return problems as GitHub's workflow commands, which it shows beside the line; paths are seen from `start`."""
    lines = []
    for problem in problems:
        where = problem.where
        kind = "warning" if problem.is_warning else "error"
        place = f"file={_property(_below(where.path, start))},line={where.line},col={where.column},endColumn={where.column + where.length}"
        message = f"{problem.what}\nwhy: {problem.why}\nfix: {problem.fix}"
        lines.append(f"::{kind} {place},title={_property(problem.code)}::{_message(message)}\n")
    return "".join(lines)


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")


def _below(path: Path, start: Path) -> str:
    absolute = path.absolute()
    return absolute.relative_to(start.absolute()).as_posix() if absolute.is_relative_to(start.absolute()) else absolute.as_posix()


def as_sarif(findings: Findings, start: Path, version: str) -> dict[str, Any]:
    """Return findings as a SARIF 2.1.0 log; accepted warnings are in it as suppressed, with the reason."""
    told = sorted({problem.code for problem in (*findings.problems, *(one.problem for one in findings.accepted))})
    rules = [
        {
            "id": code,
            "shortDescription": {"text": CODES[code].title},
            "fullDescription": {"text": CODES[code].why},
            "defaultConfiguration": {"level": "warning" if CODES[code].is_warning else "error"},
        }
        for code in told
    ]
    results = [_result(problem, start, told) for problem in findings.problems]
    results += [
        _result(one.problem, start, told) | {"suppressions": [{"kind": "inSource", "justification": one.reason}]}
        for one in findings.accepted
    ]
    driver = {"name": "lakepact", "version": version, "rules": rules}
    return {
        "$schema": _SARIF,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }


def _result(problem: Problem, start: Path, rules: list[str]) -> dict[str, Any]:
    where = problem.where
    region = {"startLine": where.line, "startColumn": where.column, "endColumn": where.column + where.length}
    return {
        "ruleId": problem.code,
        "ruleIndex": rules.index(problem.code),
        "level": "warning" if problem.is_warning else "error",
        "message": {"text": f"{problem.what} Why: {problem.why} Fix: {problem.fix}"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": _below(where.path, start)}, "region": region}}],
    }


def page_of(code: str) -> str:
    """Return the page of a code: what it means, why it matters, a bad and a good example."""
    one = CODES[code]
    kind = "A warning: the contract can run, and `accepted:` with a reason silences it." if one.is_warning else "An error: nothing runs."
    parts = [f"# {code}", one.title, kind, one.why, "Bad:", _yaml(one.bad), "Good:", _yaml(one.good)]
    if one.base:
        parts += ["The rest of the contract:", _yaml(without(BASES[one.base], one.bad))]
    return "\n\n".join(parts) + "\n"


def _yaml(text: str) -> str:
    return f"```yaml\n{text.rstrip()}\n```"


def blocks_of(text: str) -> dict[str, str]:
    """Return the top-level keys of a YAML text, each with the lines that belong to it."""
    found: dict[str, str] = {}
    key = ""
    for line in text.splitlines(keepends=True):
        if line[:1].strip() and not line.startswith(("#", "-")):
            key = line.split(":")[0]
        found[key] = found.get(key, "") + line
    return found


def without(base: str, fragment: str) -> str:
    """Return a contract without the keys that a fragment has."""
    changed = blocks_of(fragment)
    return "".join(text for key, text in blocks_of(base).items() if key not in changed)


def changed(base: str, fragment: str) -> str:
    r"""Return a contract with the keys of a fragment in place of its own.

    >>> changed("table: a\nlayer: b\n", "layer: c")
    'table: a\nlayer: c\n'
    """
    return without(base, fragment) + fragment.rstrip() + "\n"
