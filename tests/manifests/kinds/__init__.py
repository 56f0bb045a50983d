"""Definitions, from their own projects, of the kinds that the program emits and the lab's cluster lacks."""

from __future__ import annotations

from pathlib import Path

import yaml
from rich.console import Console

from kube.resources import Object
from lab.progress import Step
from lab.toolchain import go

_FILES = {
    "istio.io/api": "kubernetes/customresourcedefinitions.gen.yaml",
    "sigs.k8s.io/gateway-api": "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
    "github.com/openshift/api": "route/v1/zz_generated.crd-manifests/routes.crd.yaml",
}


def definitions() -> list[Object]:
    """Return the CustomResourceDefinitions of Istio's kinds, HTTPRoute and Route, in the versions of go.mod."""
    title = "Fetching the definitions of Istio's kinds, HTTPRoute and Route"
    with Step(Console(stderr=True, width=120), title) as step:
        modules = go.download(Path(__file__).parent, _FILES, step)
    files = (modules[path] / file for path, file in _FILES.items())
    return [definition for file in files for definition in yaml.safe_load_all(file.read_text()) if definition]
