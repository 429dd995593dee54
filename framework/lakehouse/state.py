"""What does the engine remember between runs?

Small JSON files, readable without Spark: the ledger of loads, what each table was built from, and the run log. Each
is written to a side file and renamed, so that a reader never sees half of one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from framework.plan.steps import Built, Checked, DeliveredFile, Load
from framework.spec.problem import CannotRunError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


class State:
    """The engine's memory in one folder."""

    def __init__(self, folder: Path) -> None:
        """Remember the folder; nothing is written yet."""
        self.folder = folder

    def prepare(self) -> None:
        """Make the folder and see whether it can be written.

        Raises:
            CannotRunError: it cannot.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            probe = self.folder / ".probe"
            probe.write_text("")
            probe.unlink()
        except OSError as error:
            raise CannotRunError(
                f"The folder {self.folder} cannot be written: {error.strerror}.",
                "give yourself permission, or name another folder with --warehouse.",
            ) from error

    def loads(self, table: str) -> list[Load]:
        """Return a table's loads from the first to the last."""
        return [_load(_read(path)) for path in sorted((self.folder / "loads" / table).glob("*.json"))]

    def write_load(self, table: str, load: Load) -> None:
        """Write a load down, or over what stood there of it."""
        _write(self.folder / "loads" / table / f"{load.number:08d}.json", asdict(load))

    def forget_load(self, table: str, load: Load) -> None:
        """Take a load back that never came to be."""
        (self.folder / "loads" / table / f"{load.number:08d}.json").unlink()

    def built(self, table: str) -> Built | None:
        """Return from what a table was last built."""
        record = _read_if_there(self.folder / "tables" / f"{table}.json")
        return Built(**record) if record is not None else None

    def write_built(self, table: str, built: Built) -> None:
        """Remember from what a table was built."""
        _write(self.folder / "tables" / f"{table}.json", asdict(built))

    def checked(self, table: str) -> Checked | None:
        """Return what the checks on a table last said."""
        record = _read_if_there(self.folder / "checks" / f"{table}.json")
        return Checked(**record | {"failed": tuple(record["failed"])}) if record is not None else None

    def write_checked(self, table: str, checked: Checked) -> None:
        """Remember what the checks on a table said."""
        _write(self.folder / "checks" / f"{table}.json", asdict(checked))

    def run_ids(self) -> list[str]:
        """Return the names of all runs, the newest first."""
        return sorted((path.stem for path in (self.folder / "runs").glob("*.json")), reverse=True)

    def _run(self, run_id: str) -> dict[str, Any]:
        return _read(self.folder / "runs" / f"{run_id}.json")

    def run(self, run_id: str) -> dict[str, Any] | None:
        """Return the record of one run; None where there was none."""
        return self._run(run_id) if run_id in self.run_ids() else None

    def runs(self, most: int = 10) -> list[dict[str, Any]]:
        """Return the records of the last runs, the newest first."""
        return [self._run(run_id) for run_id in self.run_ids()[:most]]

    def runs_after(self, run_id: str) -> list[dict[str, Any]]:
        """Return the records of all runs after one, the newest first; of all, where `run_id` is empty."""
        return [self._run(one) for one in self.run_ids() if one > run_id]

    def runs_before(self, run_id: str, most: int) -> list[dict[str, Any]]:
        """Return the records of the runs before one, the newest first."""
        return [self._run(one) for one in [one for one in self.run_ids() if one < run_id][:most]]

    def runs_older_than(self, started: str) -> list[str]:
        """Return the runs that began before a time; never the last one."""
        return [one for one in self.run_ids()[1:] if self._run(one)["started"] < started]

    def forget_runs(self, run_ids: Collection[str]) -> None:
        """Remove runs from the log, and the texts of contracts that no other run speaks of."""
        for run_id in run_ids:
            (self.folder / "runs" / f"{run_id}.json").unlink(missing_ok=True)
        spoken_of = {table.get("contract") for run_id in self.run_ids() for table in self._run(run_id)["tables"]}
        for path in (self.folder / "contracts").glob("*.yml"):
            if path.stem not in spoken_of:
                path.unlink()

    def recorded(self) -> dict[str, Any] | None:
        """Return how far the tables of runs are: the `last` run in them, and whether somebody is `writing`; None where it is not known."""
        return _read_if_there(self.folder / "recorded.json")

    def write_recorded(self, last: str, *, writing: bool) -> None:
        """Remember how far the tables of runs are."""
        _write(self.folder / "recorded.json", {"last": last, "writing": writing})

    def told(self) -> dict[str, str]:
        """Return when which alert was last sent."""
        return _read_if_there(self.folder / "alerts.json") or {}

    def write_told(self, told: dict[str, str]) -> None:
        """Remember when which alert was last sent."""
        _write(self.folder / "alerts.json", told)

    def sent(self) -> dict[str, str]:
        """Return of which run each receiver of events was told last."""
        return _read_if_there(self.folder / "sent.json") or {}

    def write_sent(self, sent: dict[str, str]) -> None:
        """Remember of which run each receiver of events was told last."""
        _write(self.folder / "sent.json", sent)

    def keep_contract(self, text: str) -> str:
        """Keep a contract's text, once, and return the name under which it is found again."""
        name = hashlib.sha256(text.encode()).hexdigest()[:16]
        path = self.folder / "contracts" / f"{name}.yml"
        if not path.exists():
            _write_text(path, text)
        return name

    def contract_text(self, name: str) -> str | None:
        """Return a contract's text as it was; None where it was not kept."""
        path = self.folder / "contracts" / f"{name}.yml"
        return path.read_text("utf-8") if name and path.exists() else None

    def write_run(self, run_id: str, record: dict[str, Any]) -> Path:
        """Write a run's record and return where it is."""
        path = self.folder / "runs" / f"{run_id}.json"
        _write(path, record)
        return path


def _load(record: dict[str, Any]) -> Load:
    files = tuple(DeliveredFile(**{**file, "header": tuple(file["header"])}) for file in record.pop("files"))
    return Load(files=files, **record)


def _read(path: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise CannotRunError(
            f"The engine's own record {path} cannot be read: {error}.", "restore the file from a backup; the engine writes it whole."
        ) from error
    return record


def _read_if_there(path: Path) -> dict[str, Any] | None:
    return _read(path) if path.exists() else None


def _write(path: Path, record: dict[str, Any]) -> None:
    _write_text(path, json.dumps(record, indent=1, default=str))


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".tmp")
    beside.write_text(text, "utf-8")
    beside.replace(path)
