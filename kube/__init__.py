"""One Kubernetes client for the lab, measuring and previews."""
