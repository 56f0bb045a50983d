"""Kubernetes and KubeVirt as processes of this machine."""
