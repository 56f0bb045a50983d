"""A KubeVirt cluster on one machine, for a first run, for tests and for PR checks. Not a cluster for production."""
