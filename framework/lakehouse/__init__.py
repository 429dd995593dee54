"""The only code that touches storage or starts Spark: landing folder, ledger, tables, session."""
