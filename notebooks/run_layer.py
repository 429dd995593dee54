# Databricks notebook source
"""Run one layer: the only notebook there is; the layer, its tables and the environment are parameters."""

from framework.cli import app

# COMMAND ----------

for name, default in {"layer": "all", "environment": "databricks", "project": "..", "tables": ""}.items():
    dbutils.widgets.text(name, default)  # noqa: F821 - Databricks brings it

# COMMAND ----------

layer, environment, project, tables = (dbutils.widgets.get(name) for name in ("layer", "environment", "project", "tables"))  # noqa: F821
if app(["run", layer, "--env", environment, "--project", project, "--table", tables], standalone_mode=False):
    message = f"the run of {layer} is not all well; what it said stands above"
    raise RuntimeError(message)
