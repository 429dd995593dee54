"""Which files were delivered, and can they be read as their contract says?

Looked at before Spark starts: a header with swapped columns would load silently, bytes of another encoding would
become question marks.
"""

from __future__ import annotations

import codecs
import csv
import fnmatch
import io
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from framework.lakehouse.discovery import FoundFile
from framework.plan.steps import DeliveredFile, RefusedFile
from framework.spec.problem import CannotRunError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from framework.spec.source import Files
    from framework.spec.table import FileTable

Entry = os.DirEntry[str] | FoundFile
_CHUNK_BYTES = 1 << 22
_NS_PER_MS = 1_000_000
_HEADER_BYTES = 1 << 20


def listed(landing: Path) -> list[Entry]:
    """Return what is in a landing folder, by name.

    Raises:
        CannotRunError: the landing folder cannot be listed.
    """
    try:
        return sorted(os.scandir(landing), key=lambda entry: entry.name)
    except OSError as error:
        raise CannotRunError(
            f"The landing folder {landing} cannot be listed: {error.strerror}.",
            "name the folder with --landing, or put it into metadata/environments.yml.",
        ) from error


def find_files(
    entries: Iterable[Entry], table: FileTable, known: Collection[tuple[str, int, int]]
) -> tuple[tuple[DeliveredFile, ...], tuple[RefusedFile, ...]]:
    """Return the files of a table that are new, in the order in which they were delivered, and those that cannot be read.

    `known` holds the identities of files ingested before.
    """
    known_ms = {(name, size, modified_ns // _NS_PER_MS) for name, size, modified_ns in known}
    new: list[DeliveredFile] = []
    refused: list[RefusedFile] = []
    for entry in entries:
        if not any(fnmatch.fnmatchcase(entry.name, pattern) for pattern in table.files.pattern):
            continue
        if isinstance(entry, FoundFile) and (entry.identity_ms in known_ms or not entry.is_file()):
            continue  # told of, and ingested since or gone
        if not entry.is_file():
            refused.append(RefusedFile(entry.name, "it is a directory, not a file.", "deliver a file of that name."))
            continue
        status = entry.stat()
        file = DeliveredFile(entry.name, os.fspath(entry), status.st_size, status.st_mtime_ns)
        if file.identity in known:
            continue
        found = _looked_into(file, table)
        if isinstance(found, DeliveredFile):
            new.append(found)
        else:
            refused.append(found)
    return tuple(sorted(new, key=lambda file: (file.modified_ns, file.name))), tuple(refused)


def is_as_listed(file: DeliveredFile) -> bool:
    """Tell whether a file is there as it was when it was listed."""
    try:
        status = Path(file.path).stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (file.size, file.modified_ns)


def unclaimed_files(entries: Iterable[Entry], tables: Iterable[FileTable]) -> list[str]:
    """Return the names in the landing folder that no table's pattern matches, hidden ones left out."""
    patterns = [pattern for table in tables for pattern in table.files.pattern]
    names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_file())
    return [name for name in names if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def line_of(file: DeliveredFile, files: Files, row: int) -> int | None:
    """Return the line on which a row of a file begins; None where the file is gone or another now.

    A quoted field may hold line breaks, so rows are counted as they are read.
    """
    if not is_as_listed(file) or len(files.csv.separator) > 1:
        return None
    before = csv.field_size_limit(sys.maxsize)
    quote = files.csv.quote or None
    try:
        with Path(file.path).open(encoding="utf-8-sig", newline="") as stream:
            lines = csv.reader(
                stream,
                delimiter=files.csv.separator,
                quotechar=quote,
                quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
                doublequote=files.csv.escape == files.csv.quote,
                escapechar=None if files.csv.escape in {files.csv.quote, ""} else files.csv.escape,
            )
            number, begins = -1, 1
            for fields in lines:
                number += bool(fields)  # an empty line is no row
                if number == row and fields:
                    return begins
                begins = lines.line_num + 1
    except (OSError, csv.Error, UnicodeDecodeError):
        return None
    finally:
        csv.field_size_limit(before)
    return None


def _looked_into(file: DeliveredFile, table: FileTable) -> DeliveredFile | RefusedFile:
    path, csv_ = Path(file.path), table.files.csv
    try:
        packed = _packed(path)
        if packed:
            return RefusedFile(file.name, f"it is {packed}, not text.", "deliver it unpacked.")
        seen = _looked_through(path, csv_.quote)
        if seen.nul is not None:
            return RefusedFile(
                file.name,
                f"byte {seen.nul + 1} is NUL, which no text holds; it may be UTF-16.",
                "deliver it as UTF-8; a spreadsheet's `CSV UTF-8` is one.",
            )
        # Quotes come in pairs, doubled ones too; an odd number is rare enough to look closely.
        if csv_.quote == csv_.escape and seen.quotes % 2 and (line := _open_quote(path, table.files)):
            return RefusedFile(
                file.name,
                f"a quote that opens on line {line} is never closed: everything behind it would be one field.",
                "close it, or deliver the file again; it may have been cut off.",
            )
        # Spark takes the first row's end for the end of every row, and would join the rows that end otherwise.
        if 0 < seen.windows_ends < seen.ends and (line := _other_end(path, csv_.quote)):
            return RefusedFile(
                file.name,
                f"its rows end in two ways: line {line} ends otherwise than the header, and Spark would join it with the next.",
                "deliver it with one kind of line end, LF or CRLF.",
            )
        header = _header(path, table.files)
    except UnicodeDecodeError as error:
        return RefusedFile(
            file.name,
            f"it is not UTF-8: byte {error.start + 1} is 0x{error.object[0]:02x}.",
            "deliver it as UTF-8; a spreadsheet's `CSV UTF-8` is one.",
        )
    except (OSError, csv.Error) as error:
        return RefusedFile(
            file.name, f"it cannot be read: {getattr(error, 'strerror', None) or error}.", "check the file and its permissions."
        )
    fault = _fault_of(header, table)
    if fault:
        return RefusedFile(file.name, *fault)
    return replace(file, header=header, ends_with_line=seen.ends_with_line)


def _header(path: Path, files: Files) -> tuple[str, ...]:
    with path.open("rb") as stream:
        start = stream.read(_HEADER_BYTES)
    # A character may be cut at the end of what was read.
    text = codecs.getincrementaldecoder("utf-8-sig")().decode(start)
    quote = files.csv.quote or None
    lines = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=files.csv.separator,
        quotechar=quote,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
    )
    return tuple(name.strip() for name in next(lines, []))


_PACKED = {
    b"\x1f\x8b": "packed with gzip",
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"BZh": "packed with bzip2",
    b"PAR1": "Parquet",
}


def _packed(path: Path) -> str | None:
    """Return in words what a file is that is no text at all; None where it may be text."""
    with path.open("rb") as stream:
        start = stream.read(4)
    return next((said for magic, said in _PACKED.items() if start.startswith(magic)), None)


@dataclass(frozen=True)
class _Seen:
    """What a look at every byte of a file has shown."""

    quotes: int
    nul: int | None
    ends: int
    windows_ends: int
    ends_with_line: bool


def _looked_through(path: Path, quote: str) -> _Seen:
    """Return how many quotes and line ends a file holds, and where its first NUL is.

    Raises:
        UnicodeDecodeError: it is not UTF-8; the position counts from the start of the file.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    done = quotes = ends = windows = 0
    last = b""
    nul: int | None = None
    with path.open("rb") as stream:
        chunk = stream.read(_CHUNK_BYTES)
        while True:
            waiting = len(decoder.getstate()[0])
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                # The error counts from the bytes at hand; the reader of the message counts from the start of the file.
                start = done - waiting + error.start
                raise UnicodeDecodeError("utf-8", error.object[error.start : error.start + 1], start, start + 1, error.reason) from None
            if not chunk:
                return _Seen(quotes, nul, ends, windows, last in {b"\n", b"\r", b""})
            quotes += chunk.count(quote.encode()) if quote else 0
            ends += chunk.count(b"\n")
            windows += chunk.count(b"\r\n") + (last == b"\r" and chunk.startswith(b"\n"))
            last = chunk[-1:]
            if nul is None and b"\0" in chunk:
                nul = done + chunk.index(b"\0")
            done += len(chunk)
            chunk = stream.read(_CHUNK_BYTES)


def _other_end(path: Path, quote: str) -> int | None:
    """Return the first line that ends a row otherwise than the header ends; None where all rows end alike."""
    sign, is_open, header_end = quote.encode(), False, b""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            is_open ^= bool(sign) and line.count(sign) % 2 == 1
            if is_open or not line.endswith(b"\n"):
                continue  # the line break is part of a quoted field
            end = line[-2:] if line.endswith(b"\r\n") else b"\n"
            header_end = header_end or end
            if end != header_end:
                return number
    return None


def _open_quote(path: Path, files: Files) -> int | None:
    """Return the line of a quote that is still open at the end of a file; None where none is."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = csv.reader(stream, delimiter=files.csv.separator, quotechar=files.csv.quote, strict=True)
            begun = 1
            try:
                for _ in lines:
                    begun = lines.line_num + 1
            except csv.Error as error:
                return begun if "unexpected end of data" in str(error) else None
    finally:
        csv.field_size_limit(before)
    return None


def _fault_of(header: tuple[str, ...], table: FileTable) -> tuple[str, str] | None:
    if not header:
        return "it is empty: not even a header line.", "deliver the file again, or take it away."
    names = [name.lower() for name in header]
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated:
        return f"its header names a column twice: {', '.join(repeated)}.", "give each column a name of its own."
    missing = [column.name for column in table.columns if not column.optional and column.name.lower() not in names]
    if missing:
        near = did_you_mean(missing[0], header).split(" Known")[0]
        hint = f" For {missing[0]}, {near}" if near.startswith("did you mean") else ""
        return (
            f"its header lacks {'columns' if len(missing) > 1 else 'the column'} {', '.join(missing)}.",
            f"deliver it with the {'columns' if len(missing) > 1 else 'column'}, or declare `optional: true` in the contract.{hint}",
        )
    unknown = [name for name in header if name.lower() not in {column.name.lower() for column in table.columns}]
    if unknown and table.files.unknown_columns == "fail":
        return f"its header has unknown columns: {', '.join(unknown)}.", "declare them in the contract, or set `unknown_columns: rescue`."
    return None
