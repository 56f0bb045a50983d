"""From samples to a summary. Pure: no cluster, no console, no files."""
