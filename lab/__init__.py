"""A KubeVirt cluster on one machine, for a first run, for tests and for PR checks. Never a cluster for users."""
