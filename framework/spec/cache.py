"""What is kept between two looks at the same contracts, so that only what changed is looked at again?"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PACKAGE = Path(__file__).parent


def cache_folder() -> Path:
    """Return where things are kept between runs: `LAKEPACT_CACHE`, else the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("LAKEPACT_CACHE") or Path(base) / "lakepact")


def digest(*parts: object) -> str:
    """Return a short hash of anything that has a text form."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass"))
        found.update(b"\0")
    return found.hexdigest()[:24]


def stamp() -> str:
    """Return what stands for the code that looks at contracts: with other code, nothing that was kept holds."""
    files = sorted(path for path in _PACKAGE.rglob("*") if path.suffix in {".py", ".json"})
    return digest(*(f"{path.relative_to(_PACKAGE)} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files))


def project_files(root: Path) -> dict[str, bytes | None]:
    """Return the content of every file of a project by its path below `root`; None where it cannot be read."""
    found: dict[str, bytes | None] = {}
    for part in ("contracts", "metadata"):
        for folder, folders, names in os.walk(root / part):
            folders.sort()
            for name in sorted(names):
                path = Path(folder) / name
                try:
                    found[path.relative_to(root).as_posix()] = path.read_bytes()
                except OSError:
                    found[path.relative_to(root).as_posix()] = None
    return found


def whole(files: Mapping[str, bytes | None]) -> str:
    """Return a hash of all files of a project."""
    found = hashlib.sha256()
    for name, content in files.items():
        found.update(f"{name}\0{-1 if content is None else len(content)}\0".encode("utf-8", "surrogateescape"))
        found.update(content or b"")
    return found.hexdigest()[:24]


class Kept:
    """What was kept of one project, in one file; what cannot be read or written is done without."""

    def __init__(self, root: Path, *, is_wanted: bool = True) -> None:
        """Read what was kept of the project under `root`."""
        self._path = cache_folder() / "validate" / f"{digest(root.resolve())}.json"
        self._is_wanted = is_wanted
        self._stamp = stamp()
        self.record: dict[str, Any] = {}
        if is_wanted:
            with suppress(OSError, ValueError):
                record = json.loads(self._path.read_bytes())
                self.record = record if record.get("stamp") == self._stamp else {}

    def save(self, record: Mapping[str, Any]) -> None:
        """Keep a record, in place of what was kept."""
        if not self._is_wanted:
            return
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            beside = self._path.with_suffix(f".{os.getpid()}")
            beside.write_text(json.dumps({**record, "stamp": self._stamp}, separators=(",", ":")), "utf-8")
            beside.replace(self._path)


def below(files: Iterable[str], folder: str) -> list[str]:
    """Return the files below a folder."""
    return [name for name in files if name.startswith(f"{folder}/")]
