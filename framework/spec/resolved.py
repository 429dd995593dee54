"""What does a contract say once everything is filled in, and where does each default come from?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel

if TYPE_CHECKING:
    from framework.spec.reading import Contract

_BUILT_IN = "built in"


def resolved_text(contract: Contract) -> str:
    """Return the contract as YAML with all defaults; a comment behind each says where it comes from."""
    origins = dict(contract.origins)
    shown: dict[str, Any] = dict(contract.resolved)
    for section, model in (("", contract.table), ("files", getattr(contract.table, "files", None))):
        if isinstance(model, BaseModel):
            _fill(shown if not section else shown.setdefault(section, {}), model, section, origins)
    return "".join(_block(key, value, origins) for key, value in shown.items())


def _fill(shown: dict[str, Any], model: BaseModel, section: str, origins: dict[str, str]) -> None:
    """Add what the grammar itself fills in, where it is more than nothing."""
    dumped = model.model_dump(mode="json", by_alias=True)
    for name, info in type(model).model_fields.items():
        key = info.alias or name
        value = dumped[key]
        if key not in shown and value not in (None, [], {}) and not _is_empty(value):
            shown[key] = value
            origins[f"{section}.{key}" if section else key] = _BUILT_IN


def _is_empty(value: Any) -> bool:
    return isinstance(value, dict) and all(one in (None, [], {}) for one in value.values())


def _block(key: str, value: Any, origins: dict[str, str]) -> str:
    lines = yaml.safe_dump({key: value}, sort_keys=False, allow_unicode=True, width=120).splitlines()
    comments = {name[len(key) + 1 :]: origin for name, origin in origins.items() if name.startswith(f"{key}.")}
    if key in origins:
        lines[0] = _commented(lines[0], origins[key])
    items = -1
    for i, line in enumerate(lines[1:], 1):
        name = line.strip().split(":")[0]
        if line.startswith("- "):
            items += 1
            name = str(items)
        if name in comments and (line.startswith("- ") or (line[:2] == "  " and line[2:3].strip())):
            lines[i] = _commented(line, comments.pop(name))
    return "\n".join(lines) + "\n"


def _commented(line: str, origin: str) -> str:
    return f"{line}{' ' * max(2, 50 - len(line))}# {origin if origin == _BUILT_IN else f'from {origin}'}"
