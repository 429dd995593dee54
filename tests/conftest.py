"""What tests share: one Spark session for all of them, the project, a run of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from framework.lakehouse.session import REMOTE, start_session
from framework.spec.project import Project, read_project
from tests import unitycatalog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[1]
CONNECT_TO = os.environ.get("LAKEPACT_TEST_REMOTE", "")
"""A Spark Connect server, or `local[2]` for one that is started beside: then all tests speak to Spark as on serverless."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs Spark, so that `make check` can leave it out."""
    for item in items:
        if "spark" in getattr(item, "fixturenames", ()):
            item.add_marker("spark")


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """Return the one session of the test run."""
    settings = {"spark.sql.shuffle.partitions": "2", "spark.default.parallelism": "2"}
    session = start_session(settings | ({REMOTE: CONNECT_TO} if CONNECT_TO else unitycatalog.spark_settings()))
    yield session
    session.stop()


@pytest.fixture(scope="session")
def product() -> Project:
    """Return the first product."""
    return read_project(ROOT)
