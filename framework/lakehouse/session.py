"""How does a Spark session with Delta start, quickly, on any of the places the engine runs?

On Databricks there is one already. Locally the first start resolves Delta's jars through Ivy and, when it ends, keeps
an archive of loaded classes; later starts put the jars on the class path and map the archive, which takes a third of
the time.
"""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from framework.lakehouse.java import java_home
from framework.spec.cache import cache_folder
from framework.spec.problem import CannotRunError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pyspark.sql import SparkSession

_MIB = 1024 * 1024
TINY_BYTES, SMALL_BYTES = 4 * _MIB, 64 * _MIB
"""Below this much input, compiling each query takes longer than interpreting it; a run ends before Java's second
compiler has paid off."""

_SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # Spark's default of 50 tasks per snapshot of a Delta table dominates small runs.
    "spark.databricks.delta.snapshotPartitions": "1",
    # What is put together when a table is compacted: not the large files, which would be written anew each time.
    "spark.databricks.delta.optimize.minFileSize": str(64 * _MIB),
    "spark.databricks.delta.optimize.maxFileSize": str(128 * _MIB),
    # Into so many tasks a folder's listing is cut when old files are looked for: 10,000 unless said.
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "8",
    "spark.sql.shuffle.partitions": "8",
    "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
    "spark.driver.memory": "4g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.log.level": "ERROR",
    # Notes the Python line of every column expression, at three calls into Java each; contracts have lines of their own.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
}

REMOTE = "spark.remote"
"""The setting that names a Spark Connect server, as `sc://host:port`, or `local[2]` for one that is started beside."""

_INTERPRETED = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}


def start_session(settings: Mapping[str, str], *, input_bytes: int = 0) -> SparkSession:
    """Return the active session, or start a local one with Delta; `input_bytes` is how much input it will read.

    Raises:
        CannotRunError: pyspark, delta-spark or a Java is missing, or Delta's jars cannot be had.
    """
    try:
        from pyspark.sql import SparkSession  # noqa: PLC0415 - validate and plan do without Spark
    except ImportError as error:
        raise CannotRunError("Spark is not installed.", "run: pip install 'lakepact[local]'") from error
    spark = SparkSession.getActiveSession()
    if spark is None:
        # A task that is no notebook has to ask for the session that Databricks has ready.
        spark = SparkSession.builder.getOrCreate() if is_on_databricks() else _start_local(settings, input_bytes)
    # Days and weeks are cut in UTC wherever the cluster stands.
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    return spark


def is_on_databricks() -> bool:
    """Tell whether this process runs on a cluster or serverless compute of Databricks."""
    return "DATABRICKS_RUNTIME_VERSION" in os.environ


def _start_local(settings: Mapping[str, str], input_bytes: int) -> SparkSession:
    from pyspark.sql import SparkSession  # noqa: PLC0415 - validate and plan do without Spark

    try:
        delta = version("delta-spark")
        scala_package = f"io.delta:delta-spark_{'.'.join(version('pyspark').split('.')[:2])}_2.13:{delta}"
    except PackageNotFoundError as error:
        raise CannotRunError("Delta for Spark is not installed.", "run: pip install 'lakepact[local]'") from error
    cache = cache_folder()
    home = java_home(cache)
    os.environ["JAVA_HOME"] = str(home)
    ivy = cache / f"ivy-{delta}"
    jars = _jars(ivy)
    remote = settings.get(REMOTE)
    builder = (SparkSession.builder.remote(remote) if remote else SparkSession.builder.master("local[*]")).appName("lakepact")
    if remote:
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if jars:
        builder = builder.config("spark.driver.extraClassPath", ":".join(str(jar) for jar in jars))
    else:
        builder = builder.config("spark.jars.packages", scala_package).config("spark.jars.ivy", str(ivy))
    options = [
        "-XX:ReservedCodeCacheSize=512m",
        *(["-XX:TieredStopAtLevel=1"] if input_bytes < SMALL_BYTES else []),
        *(_archive_options(cache, home, jars) if jars else []),
    ]
    builder = builder.config("spark.driver.extraJavaOptions", " ".join(options))
    for name, value in (_SETTINGS | (_INTERPRETED if input_bytes < TINY_BYTES else {}) | dict(settings)).items():
        if name != REMOTE:
            builder = builder.config(name, value)
    log = cache / "spark.log"
    try:
        with _java_speaks_into(log), warnings.catch_warnings():
            # Over Spark Connect what only a starting server takes is set there, and warned of here.
            warnings.simplefilter("ignore", UserWarning)
            spark = builder.getOrCreate()
    except Exception as error:
        raise CannotRunError(
            f"Spark did not start; what Java said is in {log}.",
            "the first start fetches Delta's jars from Maven Central: check the network, and that 4 GiB of memory are free.",
        ) from error
    if not jars:
        (ivy / "complete").touch()
    return spark


@contextmanager
def _java_speaks_into(log: Path) -> Iterator[None]:
    """Let the Java process that starts meanwhile write to a file for all its life, not over the user's screen."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [(fd, os.dup(fd)) for fd in (1, 2)]
    with log.open("wb") as file:
        for fd, _ in kept:
            os.dup2(file.fileno(), fd)
        try:
            yield
        finally:
            for fd, copy in kept:
                os.dup2(copy, fd)
                os.close(copy)


def _jars(ivy: Path) -> list[Path]:
    """Return Delta's jars from an earlier start, without those that Spark itself holds."""
    if not (ivy / "complete").exists():
        return []
    import pyspark  # noqa: PLC0415 - validate and plan do without Spark

    held = {jar.name.rsplit("-", 1)[0] for jar in (Path(pyspark.__file__).parent / "jars").glob("*.jar")}
    return [jar for jar in sorted((ivy / "jars").glob("*.jar")) if jar.name.split("_", 1)[1].rsplit("-", 1)[0] not in held]


def _archive_options(cache: Path, home: Path, jars: list[Path]) -> list[str]:
    """Return the options that map the archive of loaded classes, or that write it when this session ends.

    A blank in the path would end the option, and an archive that does not fit is passed over by Java itself.
    """
    key = hashlib.sha256("\n".join([str(home.resolve()), version("pyspark"), *map(str, jars)]).encode()).hexdigest()[:12]
    archive = cache / f"classes-{key}.jsa"
    if " " in str(archive):
        return []
    if archive.exists():
        return [f"-XX:SharedArchiveFile={archive}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
    return [f"-XX:ArchiveClassesAtExit={archive}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
