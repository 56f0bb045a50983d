"""A load run against a stack: start it, follow it, show it, clean up."""
