"""What a person gets: files, tables, plots and the report."""
