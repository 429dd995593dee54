"""What is kept of runs as tables, for whoever asks about them with SQL?

The run log is what the engine itself goes by: one JSON file a run, written by every run, also by one that finds nothing new
and starts no Spark. These tables are made of it. A run that has Spark at hand appends what they lack, its own record too.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pyspark.sql import SparkSession

    from framework.lakehouse.state import State
    from framework.lakehouse.tables import Tables

Record = dict[str, Any]

SCHEMAS = {
    "_runs": """
        run_id string COMMENT 'The run; its beginning in UTC, and four signs by chance.',
        started timestamp COMMENT 'When it began.',
        environment string COMMENT 'Where it ran: a name in metadata/environments.yml.',
        layer string COMMENT 'The layer that was asked for, or all.',
        outcome string COMMENT 'done, or failed where a table, a check or a file was not as it should be.',
        seconds double COMMENT 'How long it took.',
        checking_seconds double COMMENT 'How long of that the checks on whole tables took.',
        tables map<string, int> COMMENT 'How many tables had which outcome.',
        unclaimed array<string> COMMENT 'Files in the landing folder that no contract asks for.'""",
    "_tables": """
        run_id string COMMENT 'The run.',
        started timestamp COMMENT 'When the run began.',
        table string COMMENT 'The table.',
        outcome string COMMENT 'done, unchanged, failed or skipped.',
        reason string COMMENT 'Why.',
        how string COMMENT 'Whether the whole was worked out, or what changed.',
        read bigint COMMENT 'Rows read; kept + duplicate + quarantined + dropped, unless the table groups.',
        kept bigint COMMENT 'Rows that passed; of a table of groups, the groups.',
        duplicate bigint COMMENT 'Rows that repeat another, or were replaced by a later one.',
        quarantined bigint COMMENT 'Rows refused, with their reasons, into the quarantine.',
        dropped bigint COMMENT 'Rows left out by a rule.',
        shifted bigint COMMENT 'Rows of which several values cannot be read: their fields may be shifted.',
        rules array<struct<rule: string, otherwise: string, rows: bigint>> COMMENT 'How many rows broke which rule.',
        inputs map<string, bigint> COMMENT 'The Delta version of each table read.',
        version bigint COMMENT 'The Delta version that the table then had.',
        contract_hash string COMMENT 'A hash of all that the contract says of rows.',
        seconds double COMMENT 'How long it took.'""",
    "_files": """
        run_id string COMMENT 'The run.',
        started timestamp COMMENT 'When the run began.',
        table string COMMENT 'The table that the file belongs to.',
        file string COMMENT 'The file''s name in the landing folder.',
        rows bigint COMMENT 'Rows loaded.',
        ragged bigint COMMENT 'Rows with too few or too many fields.',
        notes array<string> COMMENT 'How it differs from its contract and from the file before.',
        refused string COMMENT 'Why it was refused as a whole; null where it was loaded.',
        fix string COMMENT 'What can be done about that.'""",
    "_checks": """
        run_id string COMMENT 'The run.',
        started timestamp COMMENT 'When the run began.',
        table string COMMENT 'The table.',
        check string COMMENT 'The check as the contract says it, or its name.',
        otherwise string COMMENT 'What breaking it means: fail or warn.',
        outcome string COMMENT 'pass, warn, fail, error where it could not be evaluated, or not made.',
        value double COMMENT 'What was measured; of a query, how many rows it gave; of an age, seconds.',
        note string COMMENT 'What more there is to say.'""",
}
"""The columns of each table, as they are described in the catalog too."""


def record_runs(spark: SparkSession, tables: Tables, state: State) -> None:
    """Append the runs that the tables lack, each once."""
    done = state.recorded()
    # Where a run was killed while it appended them, only the tables themselves know how far they are.
    is_known = done is not None and not done["writing"]
    last = {name: done["last"] if done and is_known else _last_run(tables, name) for name in SCHEMAS}
    runs = list(reversed(state.runs_after(min(last.values()))))
    if not runs:
        return
    newest = runs[-1]["run_id"]
    state.write_recorded(newest, writing=True)
    with ThreadPoolExecutor(len(SCHEMAS), thread_name_prefix="record") as pool:
        list(pool.map(lambda name: _append(spark, tables, name, [run for run in runs if run["run_id"] > last[name]]), SCHEMAS))
    state.write_recorded(newest, writing=False)


def _last_run(tables: Tables, name: str) -> str:
    if tables.version(name) is None:
        return ""
    (row,) = tables.read(name).selectExpr("max(run_id) AS last").collect()
    return row["last"] or ""


def _append(spark: SparkSession, tables: Tables, name: str, runs: Sequence[Record]) -> None:
    rows = [tuple(row) for run in runs for row in _ROWS[name](run)]
    if rows or tables.version(name) is None:
        tables.append(name, spark.createDataFrame(rows, SCHEMAS[name]).coalesce(1))


def _runs(run: Record) -> Iterator[list[Any]]:
    outcomes = [one["outcome"] for one in run["tables"]]
    told = {outcome: outcomes.count(outcome) for outcome in dict.fromkeys(outcomes)}
    yield [
        run["run_id"],
        datetime.fromisoformat(run["started"]),
        run["environment"],
        run["layer"],
        run["outcome"],
        float(run["seconds"]),
        float(run.get("checking_seconds", 0)),
        told,
        run["unclaimed"],
    ]


_COUNTS = ("read", "kept", "duplicate", "quarantined", "dropped", "shifted")


def _tables(run: Record) -> Iterator[list[Any]]:
    for one in run["tables"]:
        rules = [(rule, told["otherwise"], int(told["rows"])) for rule, told in one["rules"].items()]
        yield [
            *_of(run, one),
            one["outcome"],
            one["reason"],
            one["how"],
            *(int(one.get(name, 0)) for name in _COUNTS),
            rules,
            one["inputs"],
            one["version"],
            one["contract_hash"],
            float(one["seconds"]),
        ]


def _files(run: Record) -> Iterator[list[Any]]:
    for one in run["tables"]:
        for file in one["files"]:
            yield [*_of(run, one), file["name"], file["rows"], file["ragged"], file["drift"], file["refused"], file["fix"]]


def _checks(run: Record) -> Iterator[list[Any]]:
    for one in run["tables"]:
        for check in one.get("checks", ()):
            value = None if check["value"] is None else float(check["value"])
            yield [*_of(run, one), check["check"], check["otherwise"], check["outcome"], value, check["note"]]


def _of(run: Record, table: Record) -> list[Any]:
    return [run["run_id"], datetime.fromisoformat(run["started"]), table["table"]]


_ROWS: Mapping[str, Callable[[Record], Iterator[list[Any]]]] = {"_runs": _runs, "_tables": _tables, "_files": _files, "_checks": _checks}
