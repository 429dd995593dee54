"""Which steps can a plan hold, and which facts are they worked out from?"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class DeliveredFile:
    """A file in the landing folder; `modified_ns` counts nanoseconds since 1970, `size` bytes."""

    name: str
    path: str
    size: int
    modified_ns: int
    header: tuple[str, ...] = ()
    ends_with_line: bool = True
    """Whether the last line has an end."""

    @property
    def identity(self) -> tuple[str, int, int]:
        """Return what tells this delivery from another under the same name."""
        return (self.name, self.size, self.modified_ns)


@dataclass(frozen=True)
class RefusedFile:
    """A file that cannot be ingested: why, and the way out."""

    name: str
    why: str
    fix: str


@dataclass(frozen=True)
class Load:
    """One ingestion of files into a table, written down before it begins."""

    number: int
    load_id: str
    timestamp: str
    files: tuple[DeliveredFile, ...]
    version_before: int
    closed: bool = False
    rows: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class OpenLoad:
    """A load that an earlier run began and did not close: are its rows in the table, are its files as they were?"""

    load: Load
    is_committed: bool
    is_as_listed: bool


@dataclass(frozen=True)
class Built:
    """From what a table was last built: contract, versions of its inputs, and the version that came out."""

    contract_hash: str
    inputs: dict[str, int]
    version: int
    rows: int = 0
    quarantined: int = 0
    """Rows in quarantine; `by_rule` says how many broke which rule."""
    by_rule: dict[str, int] = field(default_factory=dict)
    quarantine_version: int = -1
    columns: dict[str, str] = field(default_factory=dict)
    """Types by name."""
    replaced: int = 0
    """The version at which the table was last made under another contract; what changed before it cannot be told from it."""
    rewritten: int = 0
    """The version at which all rows were last written anew; of what changed before it, most did not."""
    best: str = ""
    """The name under which the best rows so far are kept; empty where there is no need of them."""


@dataclass(frozen=True)
class Checked:
    """What the checks on a whole table last said: of which version, by a hash of which checks, and which of them it failed."""

    version: int
    checks: str
    failed: tuple[str, ...] = ()
    values: dict[str, float] = field(default_factory=dict)
    """What was measured, by the check's title."""
    at: str = ""
    """When, in ISO 8601."""


@dataclass(frozen=True)
class Observed:
    """What is there now; versions are Delta's, missing tables have none."""

    versions: dict[str, int]
    built: dict[str, Built]
    new_files: dict[str, tuple[DeliveredFile, ...]]
    refused_files: dict[str, tuple[RefusedFile, ...]]
    open_loads: dict[str, OpenLoad]
    replayed: dict[str, tuple[Load, ...]] = field(default_factory=dict)
    """Loads whose files are to be read again."""
    checked: dict[str, Checked] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """Something that a run does to one table, and why."""

    table: str
    because: str


@dataclass(frozen=True)
class CreateTable(Step):
    """Make the table, empty, so that what reads it finds it."""


@dataclass(frozen=True)
class FinishLoad(Step):
    """Bring a load to its end that an earlier run began."""

    load: Load


@dataclass(frozen=True)
class CloseLoad(Step):
    """Close the record of a load whose rows are in the table."""

    load: Load


@dataclass(frozen=True)
class TakeBackLoad(Step):
    """Forget a load that never came to be, because its files are others now."""

    load: Load


@dataclass(frozen=True)
class LoadFiles(Step):
    """Append the rows of delivered files."""

    files: tuple[DeliveredFile, ...]


@dataclass(frozen=True)
class ReplayLoad(Step):
    """Read a load's files again, and put their rows in place of those that came of them before."""

    load: Load


@dataclass(frozen=True)
class AddColumns(Step):
    """Add columns, empty, so that what reads the table finds them."""

    columns: tuple[str, ...]


@dataclass(frozen=True)
class RefuseFile(Step):
    """Leave a file out, whole."""

    file: RefusedFile


@dataclass(frozen=True)
class RefreshTable(Step):
    """Bring the table up to date: the parts that changes of its inputs touch, or the whole of it.

    Destructive where a column that readers know goes or narrows.
    """

    is_destructive: bool = False
    is_whole: bool = True


@dataclass(frozen=True)
class KeepTable(Step):
    """Leave the table as it is."""


@dataclass(frozen=True)
class CheckTable(Step):
    """Make the contract's checks on the whole table, together with those of its layer."""


@dataclass(frozen=True)
class Plan:
    """The steps of each table, and which tables must be done before it."""

    steps: dict[str, tuple[Step, ...]]
    after: dict[str, frozenset[str]]

    @property
    def is_empty(self) -> bool:
        """Tell whether the plan changes nothing."""
        return all(isinstance(step, KeepTable | RefuseFile) for steps in self.steps.values() for step in steps)
