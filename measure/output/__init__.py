"""Files, tables, plots and the report of a run."""
