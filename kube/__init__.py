"""The Kubernetes client and informer that the lab, measure and preview share."""
