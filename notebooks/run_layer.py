# Databricks notebook source
"""Run one layer: the only notebook there is; the layer is its parameter."""

from pathlib import Path

from framework.lakehouse.lakehouse import Lakehouse
from framework.runner import run
from framework.spec.project import read_project

# COMMAND ----------

dbutils.widgets.text("layer", "all")  # noqa: F821 - Databricks brings it
dbutils.widgets.text("environment", "databricks")  # noqa: F821
dbutils.widgets.text("project", "..")  # noqa: F821

# COMMAND ----------

lakehouse = Lakehouse(read_project(Path(dbutils.widgets.get("project"))), dbutils.widgets.get("environment"))  # noqa: F821
report = run(lakehouse, dbutils.widgets.get("layer"))  # noqa: F821
for table in report.tables:
    print(f"{table.table}: {table.outcome}, {table.read} read, {table.kept} kept, {table.quarantined} quarantined {table.reason}")  # noqa: T201
if not report.is_well:
    message = f"run {report.run_id} is not all well; see above"
    raise RuntimeError(message)
