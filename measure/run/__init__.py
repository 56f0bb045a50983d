"""A load run against a cluster: start it, follow it, show it, clean up."""
