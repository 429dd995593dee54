"""How do a model's complaints become problems that speak of YAML?"""

from __future__ import annotations

import re
import types
import typing
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from framework.spec.checks import KINDS
from framework.spec.codes import CODES
from framework.spec.grammar import CodedError
from framework.spec.problem import Problem, did_you_mean

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from framework.spec.load import Document, Loc

_TAGS = {*KINDS, "exact", "latest"}
_ALTERNATIVES = {"str", "bool", "int", "float"}
"""What pydantic calls the alternatives of a key that takes a word or a number."""
_CLASS = re.compile(r"[A-Z]\w*")


def problems_of(error: ValidationError, document: Document, model: type[BaseModel], above: Loc = ()) -> list[Problem]:
    """Return a problem for each thing that the model did not accept, one per place."""
    found: dict[tuple[Any, str], Problem] = {}
    for detail in error.errors():
        problem = _problem(detail, document, model, above)
        found.setdefault((problem.where, problem.code), problem)
    return list(found.values())


def _problem(detail: ErrorDetails, document: Document, model: type[BaseModel], above: Loc) -> Problem:
    loc = (*above, *_yaml_loc(detail["loc"], document, above))
    name = loc[-1] if loc else ""
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, CodedError):
        where = document.spot(loc, *cause.span) if cause.span else document.place((*loc, *cause.at))
        if cause.at and cause.code in {"no-effect", "contradiction"}:
            where = document.key((*loc, *cause.at))
        return Problem(where, cause.code, cause.what, CODES[cause.code].why, cause.fix)
    match detail["type"]:
        case "extra_forbidden":
            fix = did_you_mean(name, _keys_at(model, detail["loc"][:-1]))
            if detail["input"] is None:
                fix = f"put the text before it in quotes, if it is part of it: inside {{…}} a comma ends a text. {fix}"
            return Problem(
                document.key(loc),
                "unknown-key",
                f'There is no key "{name}" here.',
                "a misspelled key would be forgotten without a word.",
                fix,
            )
        case "missing":
            return Problem(
                document.key(loc[:-1]) if loc[:-1] else document.place(()),
                "missing-key",
                f'The key "{name}" is missing here.',
                _meaning(model, detail["loc"]) or "the engine cannot do without it.",
                f"add `{name}:`.",
            )
        case "union_tag_not_found":
            return Problem(
                document.place(loc),
                "unknown-key",
                "This check says no kind that is known.",
                "a check has one key that tells its kind.",
                did_you_mean(next(iter(detail["input"]), "") if isinstance(detail["input"], dict) else detail["input"], KINDS),
            )
        case _:
            return Problem(
                document.place(loc),
                "invalid-value",
                f"{_where(name)}{_wording(detail)}.",
                _meaning(model, detail["loc"]) or "the grammar takes nothing else here.",
                _fix(detail),
            )


def _where(name: int | str) -> str:
    return f"`{name}`: " if isinstance(name, str) and name else ""


def _wording(detail: ErrorDetails) -> str:
    kinds = {"string": "text", "list": "a list", "dict": "a mapping", "bool": "true or false", "int": "a whole number", "float": "a number"}
    kind = detail["type"].removesuffix("_type").removesuffix("_parsing")
    if kind in kinds:
        return f"{kinds[kind]} is expected, not {_shown(detail['input'])}"
    if detail["type"] == "literal_error":
        return f"{_shown(detail['input'])} is none of the words that may stand here"
    if detail["type"] == "string_too_short":
        count = detail.get("ctx", {}).get("min_length", 1)
        return "text is expected" if count == 1 else f"a text of at least {count} characters is expected"
    if detail["type"] == "too_short":
        return "at least one item is expected"
    if detail["type"] in {"model_type", "model_attributes_type"}:
        return f"a mapping is expected, not {_shown(detail['input'])}"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{message[0].lower()}{message[1:]}".rstrip(".")


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else f"{value}"


def _fix(detail: ErrorDetails) -> str:
    expected = detail.get("ctx", {}).get("expected")
    if expected and detail["type"] == "literal_error":
        return did_you_mean(detail["input"], re.findall(r"'([^']*)'", str(expected)))
    return "write it as described."


def _yaml_loc(loc: tuple[int | str, ...], document: Document, above: Loc) -> Loc:
    """Return pydantic's location without the names of alternatives in a union, which the reader has never seen."""
    kept: Loc = ()
    for position, part in enumerate(loc):
        last = position == len(loc) - 1
        known = (*above, *kept, part) in document.values
        if part in _TAGS and not last and kept and isinstance(kept[-1], int):
            continue  # the kind of a check, not a key below it
        if not known and part in _ALTERNATIVES and kept:
            continue
        if not known and isinstance(part, str) and (part in _TAGS or _CLASS.match(part) or "[" in part or part == "str"):
            continue
        if known or last or isinstance(part, int) or kept == ():
            kept = (*kept, part)
    return kept


def _models_at(model: Any, loc: tuple[int | str, ...]) -> list[type[BaseModel]]:
    current = _models_in(model)
    for part in loc:
        if isinstance(part, int) or part in _TAGS or (isinstance(part, str) and _CLASS.match(part)):
            continue
        steps = [
            candidate
            for one in current
            for name, info in one.model_fields.items()
            if part in {name, info.alias}
            for candidate in _models_in(info.annotation)
        ]
        current = steps or current
    return current


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if typing.get_origin(annotation) is None and not isinstance(annotation, types.UnionType):
        return []
    return [found for part in typing.get_args(annotation) for found in _models_in(part)]


def _keys_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    return [info.alias or name for one in _models_at(model, loc) for name, info in one.model_fields.items()]


def _meaning(model: type[BaseModel], loc: tuple[int | str, ...]) -> str:
    names = [part for part in loc if isinstance(part, str)]
    for one in _models_at(model, loc[:-1]):
        for name, info in one.model_fields.items():
            if names and names[-1] in {name, info.alias} and info.description:
                return f"it says: {info.description[0].lower()}{info.description[1:]}"
    return ""
