"""How are checks carried out by Soda, without a word to anybody and without a look at any row?"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from framework.spec.cache import cache_folder
from framework.spec.names import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Verdict:
    """What Soda says of one check: its value, and `pass`, `warn` or `fail`."""

    outcome: str
    value: float | None


@dataclass(frozen=True)
class Scanned:
    """The verdicts by name, and what went wrong where there is none."""

    verdicts: dict[str, Verdict]
    errors: list[str]


def is_installed() -> bool:
    """Tell whether Soda is there."""
    return find_spec("soda") is not None and find_spec("soda.data_sources.spark_df_data_source") is not None


def scan(spark: SparkSession, sodacl: str, views: Mapping[str, DataFrame], now: datetime) -> Scanned:
    """Carry a document of checks out over some rows, by name, in one scan."""
    _keep_quiet(cache_folder())
    from soda.scan import Scan  # noqa: PLC0415 - it must be told to keep quiet first

    for name, rows in views.items():
        rows.createOrReplaceTempView(quoted(name))
    try:
        one = Scan()
        one.disable_telemetry()
        one.set_data_source_name("lakepact")
        one.add_spark_session(spark, data_source_name="lakepact")
        one.add_variables({"NOW": now.isoformat()})
        # Soda would collect failing rows, which takes nine tenths of its time and puts personal data where nobody looks.
        one._configuration.samples_limit = 0  # noqa: SLF001 - its own configuration takes no zero
        one.add_sodacl_yaml_str(sodacl)
        one.execute()
        checks: list[dict[str, Any]] = one.get_scan_results()["checks"]
        errors = [str(log.message) + (f": {log.exception}" if log.exception else "") for log in one.get_error_logs()]
    finally:
        for name in views:
            spark.catalog.dropTempView(name)
    return Scanned({check["name"]: Verdict(check["outcome"], _number(check)) for check in checks if check["outcome"]}, errors)


def _number(check: dict[str, Any]) -> float | None:
    value = (check.get("diagnostics") or {}).get("value")
    return float(value) if isinstance(value, int | float) else None


def _keep_quiet(folder: Path) -> None:
    """Keep Soda from sending statistics, from writing into the user's home, and from logging.

    It reads a file of settings when it is first imported, and makes one where there is none.
    """
    os.environ["OTEL_SDK_DISABLED"] = "true"
    logging.getLogger("soda").setLevel(logging.CRITICAL)
    settings = folder / "soda.yml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text("send_anonymous_usage_stats: false\nuser_cookie_id: none\n", "utf-8")
    from soda.common.config_helper import ConfigHelper  # noqa: PLC0415 - Soda may not be installed

    ConfigHelper.get_instance(str(settings))
