"""A workspace on loopback: the part of Databricks' REST API that `apply access` speaks to, over real HTTP.

It keeps grants and owners as the real one does, and what statements say of masks, filters, tags and comments as they are
written; a statement that is not one of ours fails.
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

_NAME = r"`((?:[^`]|``)*)`"
_TABLE = rf"{_NAME}\.{_NAME}\.{_NAME}"
_TEXT = r"'((?:[^'\\]|\\.)*)'"
PATTERNS = {
    "make": re.compile(rf"CREATE TABLE IF NOT EXISTS {_TABLE} \((.*)\) USING DELTA COMMENT {_TEXT}", re.DOTALL),
    "function": re.compile(rf"CREATE OR REPLACE FUNCTION {_TABLE}\(.*\) RETURNS .* COMMENT {_TEXT} RETURN .*", re.DOTALL),
    "mask": re.compile(rf"ALTER TABLE {_TABLE} ALTER COLUMN {_NAME} SET MASK {_TABLE}"),
    "unmask": re.compile(rf"ALTER TABLE {_TABLE} ALTER COLUMN {_NAME} DROP MASK"),
    "filter": re.compile(rf"ALTER TABLE {_TABLE} SET ROW FILTER {_TABLE} ON \((.*)\)"),
    "unfilter": re.compile(rf"ALTER TABLE {_TABLE} DROP ROW FILTER"),
    "tag column": re.compile(rf"ALTER TABLE {_TABLE} ALTER COLUMN {_NAME} SET TAGS \((.*)\)"),
    "tag": re.compile(rf"ALTER TABLE {_TABLE} SET TAGS \((.*)\)"),
    "untag": re.compile(rf"ALTER TABLE {_TABLE} UNSET TAGS \((.*)\)"),
    "comment": re.compile(rf"COMMENT ON TABLE {_TABLE} IS {_TEXT}", re.DOTALL),
    "comment column": re.compile(rf"ALTER TABLE {_TABLE} ALTER COLUMN {_NAME} COMMENT {_TEXT}", re.DOTALL),
}


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


@dataclass
class Workspace:
    """What the workspace holds, and what it was asked."""

    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    grants: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    tags: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    statements: list[str] = field(default_factory=list)
    refused: str = ""
    """Statements that hold this text fail."""
    pages: int = 0
    url: str = ""

    def table(self, name: str, owner: str = "somebody") -> dict[str, Any]:
        """Return a table, made where it is not there."""
        return self.tables.setdefault(name, {"name": name, "owner": owner, "comment": "", "columns": {}})

    def column(self, table: str, name: str) -> dict[str, Any]:
        """Return a column of a table."""
        found: dict[str, Any] = self.table(table)["columns"].setdefault(name, {"name": name})
        return found

    def carry_out(self, text: str) -> list[list[str]]:
        """Carry out a statement and return its rows."""
        self.statements.append(text)
        if self.refused and self.refused in text:
            message = "PERMISSION_DENIED: not the owner"
            raise PermissionError(message)
        if ".information_schema.table_tags " in text:
            return [[table, key, value] for (table, column), tags in self.tags.items() if not column for key, value in tags.items()]
        if ".information_schema.column_tags " in text:
            return [[table, column, key, value] for (table, column), tags in self.tags.items() if column for key, value in tags.items()]
        for kind, pattern in PATTERNS.items():
            found = pattern.fullmatch(text)
            if found:
                self._change(kind, [part.replace("``", "`") for part in found.groups()])
                return []
        raise ValueError(text)

    def _change(self, kind: str, parts: list[str]) -> None:  # noqa: C901 - a case for each kind of statement
        name = parts[2]
        match kind:
            case "make":
                for column in re.findall(rf"{_NAME} [a-z]", parts[3]):
                    self.column(name, column)
                self.table(name)["comment"] = _plain(parts[4])
            case "function":
                self.functions[name] = _plain(parts[3])
            case "mask":
                assert parts[6] in self.functions, "no such function"
                self.column(name, parts[3])["mask"] = {"function_name": ".".join(parts[4:])}
            case "unmask":
                self.column(name, parts[3]).pop("mask", None)
            case "filter":
                self.table(name)["row_filter"] = {"function_name": ".".join(parts[3:6]), "input_column_names": re.findall(_NAME, parts[6])}
            case "unfilter":
                self.table(name).pop("row_filter", None)
            case "tag" | "tag column":
                tags = self.tags.setdefault((name, parts[3] if kind == "tag column" else ""), {})
                tags |= {_plain(key): _plain(value) for key, value in re.findall(rf"{_TEXT} = {_TEXT}", parts[-1])}
            case "untag":
                for key in re.findall(_TEXT, parts[3]):
                    self.tags[name, ""].pop(_plain(key))
            case "comment":
                self.table(name)["comment"] = _plain(parts[3])
            case _:
                self.column(name, parts[3])["comment"] = _plain(parts[4])

    def answer(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Answer a request."""
        place = unquote(urlsplit(path).path).removeprefix("/api/2.1/unity-catalog/")
        if place.startswith("permissions/"):
            key = place.removeprefix("permissions/").lower()
            granted = self.grants.setdefault(key, {})
            for change in body.get("changes", []):
                has = granted.setdefault(change["principal"], set())
                has -= set(change.get("remove") or [])
                has |= set(change.get("add") or [])
            listed = [{"principal": person, "privileges": sorted(has)} for person, has in granted.items() if has]
            if method == "GET" and len(listed) > 1 and "page_token" not in path:
                self.pages += 1
                return {"privilege_assignments": listed[:1], "next_page_token": "2"}
            return {"privilege_assignments": listed[1:] if "page_token" in path else listed}
        if place == "tables":
            return {"tables": [{"name": name} for name in self.tables]}
        if place == "functions":
            return {"functions": [{"name": name, "comment": comment} for name, comment in self.functions.items()]}
        if place.startswith("tables/"):
            table = self.tables[place.removeprefix("tables/").split(".", 2)[2]]
            table |= body
            return table | {"columns": list(table["columns"].values())}
        if "/sql/statements" in place:
            try:
                rows = self.carry_out(body["statement"])
            except (PermissionError, ValueError, AssertionError) as error:
                return {"statement_id": "1", "status": {"state": "FAILED", "error": {"message": str(error)}}}
            return {"statement_id": "1", "status": {"state": "SUCCEEDED"}, "result": {"data_array": rows}}
        return {}

    def start(self) -> ThreadingHTTPServer:
        """Serve on loopback."""
        workspace = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
                answer = json.dumps(workspace.answer(self.command, self.path, body)).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PATCH = do  # noqa: N815 - the library asks for these names

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server
