"""Kubernetes, KubeVirt and CDI as processes of this machine."""
