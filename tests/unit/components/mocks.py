"""Runs the program without an engine, against a monitor that records what it registers."""

from __future__ import annotations

import asyncio
import json
import runpy
from base64 import b64encode
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pulumi
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from pulumi.runtime import mocks as pulumi_mocks
from pulumi.runtime import resource as sdk
from pulumi.runtime.proto.source_pb2 import StackTrace
from pulumi.runtime.settings import SETTINGS, configure
from pulumi.runtime.stack import run_in_stack

from lab.config import PROJECT

PASSWORD = "sentinelPassword0123456789abcdef"
TOKEN = "sentinel-service-account-token"
AUTHORITY = "-----BEGIN CERTIFICATE-----\nsentinel\n-----END CERTIFICATE-----\n"
BALANCER = "203.0.113.10"
STACK = "pulumi:pulumi:Stack"
SCALED: dict[str, Any] = {"application": {"replicas": 2}, "web": {"replicas": 2}}
DEDICATED: dict[str, Any] = {"load": {"dedicated": True}}
METRICS: dict[str, Any] = {"metrics": {"enabled": True}}
# The key that marks a special value on the wire, and its value for a secret.
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"

RegisterRequest = Any
"""A RegisterResourceRequest: the SDK's generated messages are untyped."""


def is_secret(value: object) -> bool:
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def plain(value: Any) -> Any:
    """Return a wire value with its secrets unwrapped and whole numbers as integers."""
    if is_secret(value):
        return plain(value["value"])
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def public(value: Any) -> Any:
    """Return a wire value without its secrets: what the state and previews show."""
    if is_secret(value):
        return "[secret]"
    if isinstance(value, dict):
        return {key: public(item) for key, item in value.items()}
    if isinstance(value, list):
        return [public(item) for item in value]
    return value


@dataclass(frozen=True)
class Registration:
    """One registration.

    Attributes:
        wire: Inputs as sent, with secrets marked.
        depends_on: URNs of explicit dependencies, and of those through inputs.
        request: The whole registration.
    """

    urn: str
    type: str
    name: str
    parent: str
    wire: dict[str, Any]
    depends_on: frozenset[str]
    request: RegisterRequest

    @property
    def inputs(self) -> dict[str, Any]:
        inputs: dict[str, Any] = plain(self.wire)
        return inputs

    @property
    def kind(self) -> str:
        return str(self.inputs.get("kind", ""))

    @property
    def object_name(self) -> str:
        return str(self.inputs["metadata"]["name"])

    @property
    def is_object(self) -> bool:
        """Whether it is a Kubernetes object."""
        return self.type.startswith("kubernetes:")


@dataclass
class Deployment:
    """What a run of the program registered: resources in order, and hooks by name."""

    resources: list[Registration] = field(default_factory=list)
    hooks: dict[str, pulumi.ResourceHook] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)

    @property
    def objects(self) -> list[Registration]:
        return [resource for resource in self.resources if resource.is_object]

    def of_kind(self, kind: str) -> list[Registration]:
        return [resource for resource in self.objects if resource.kind == kind]

    def object(self, kind: str, name: str) -> Registration:
        (found,) = (resource for resource in self.of_kind(kind) if resource.object_name == name)
        return found

    def component(self, name: str) -> Registration:
        (found,) = (
            resource for resource in self.resources if ":components:" in resource.type and resource.name == name
        )
        return found

    def under(self, component: str) -> Iterator[Registration]:
        """Yield a component's own children."""
        urn = self.component(component).urn
        return (resource for resource in self.resources if resource.parent == urn)

    @property
    def machines(self) -> list[str]:
        """The names of the VirtualMachines."""
        return sorted(machine.object_name for machine in self.of_kind("VirtualMachine"))

    def spec(self, kind: str, name: str) -> dict[str, Any]:
        spec: dict[str, Any] = self.object(kind, name).inputs["spec"]
        return spec

    def machine(self, name: str) -> dict[str, Any]:
        """Return the spec of a VirtualMachine."""
        return self.spec("VirtualMachine", name)

    def instance(self, name: str) -> dict[str, Any]:
        """Return the spec of a VirtualMachine's instance."""
        spec: dict[str, Any] = self.machine(name)["template"]["spec"]
        return spec

    def volumes(self, name: str) -> dict[str, dict[str, Any]]:
        """Return the volumes of a VirtualMachine, by name."""
        return {volume["name"]: volume for volume in self.instance(name)["volumes"]}

    def user_data(self, machine: str) -> str:
        secret = self.volumes(machine)["cloudinit"]["cloudInitNoCloud"]["secretRef"]["name"]
        return str(self.object("Secret", secret).inputs["stringData"]["userdata"])


class ProviderMocks(pulumi_mocks.Mocks):
    """The providers' responses."""

    def __init__(self, password: str, preview: bool) -> None:
        self._password = password
        self._preview = preview

    def call(self, args: pulumi_mocks.MockCallArgs) -> tuple[dict[Any, Any], None]:
        raise AssertionError(f"unexpected call of the provider function {args.token}")

    def new_resource(self, args: pulumi_mocks.MockResourceArgs) -> tuple[str, dict[Any, Any]]:
        response = dict(args.inputs)
        if args.typ == "random:index/randomPassword:RandomPassword":
            response["result"] = self._password
        if args.inputs.get("spec", {}).get("type") == "LoadBalancer" and not self._preview:
            response["status"] = {"loadBalancer": {"ingress": [{"ip": BALANCER}]}}
        if args.inputs.get("type") == "kubernetes.io/service-account-token" and not self._preview:
            data = {"token": TOKEN, "ca.crt": AUTHORITY}
            response["data"] = {key: b64encode(text.encode()).decode() for key, text in data.items()}
        return f"{args.name}-id", response


class RecordingCallbacks:
    """Keeps the hooks that the program registers; the SDK's own need an engine to call them."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def register_resource_hook(self, hook: pulumi.ResourceHook) -> None:
        assert hook.name not in self._deployment.hooks, "the engine refuses a second hook of the same name"
        self._deployment.hooks[hook.name] = hook


class NewEngine(pulumi_mocks.MockEngine):
    """An engine that is new enough; the SDK's own doesn't answer."""

    def RequirePulumiVersion(self, request: Any) -> None:  # noqa: N802, the engine's own name
        pass


class RecordingMonitor(pulumi_mocks.MockMonitor):
    """A monitor that keeps whole registrations: the SDK's mocks omit dependencies and options."""

    def __init__(self, providers: ProviderMocks, deployment: Deployment) -> None:
        super().__init__(providers)
        self._deployment = deployment

    def RegisterResource(self, request: RegisterRequest) -> Any:  # noqa: N802, the monitor's own name
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        if request.type != STACK:
            self._deployment.resources.append(
                Registration(
                    urn=response.urn,
                    type=request.type,
                    name=request.name,
                    parent=request.parent,
                    wire=MessageToDict(request.object),
                    depends_on=frozenset(request.dependencies),
                    request=request,
                )
            )
        return response

    def RegisterResourceOutputs(self, request: RegisterRequest) -> Any:  # noqa: N802
        if f"::{STACK}::" in request.urn:
            self._deployment.outputs.update(plain(MessageToDict(request.outputs)))
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def deploy(config: Mapping[str, Any] | None = None, *, password: str = PASSWORD, preview: bool = False) -> Deployment:
    """Run the program with a configuration, and return what it registered.

    Args:
        config: Top-level settings, with objects as in YAML.
        password: Password that the random provider generates.
        preview: Whether it is a preview, in which no controller fills in a token.
    """
    return _deploy(json.dumps(dict(config or {}), sort_keys=True), password, preview)


@cache
def _deploy(config: str, password: str, preview: bool) -> Deployment:
    raw = {
        f"multi-tier:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in json.loads(config).items()
    }
    # Not the cluster of the user who runs the tests.
    raw["kubernetes:kubeconfig"] = "clusters: []"
    deployment = Deployment()
    # A stack trace with every registration is a sixth of the time, and nothing here reads it.
    sdk._get_stack_trace = StackTrace
    providers = ProviderMocks(password, preview)

    # The SDK's mocks need an event loop in each thread that calls them, and never close it.
    loops: list[asyncio.AbstractEventLoop] = []

    def give_loop() -> None:
        loops.append(asyncio.new_event_loop())
        asyncio.set_event_loop(loops[-1])

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(initializer=give_loop))
        configure(
            pulumi_mocks.MockSettings(
                monitor=RecordingMonitor(providers, deployment),
                engine=NewEngine(None),
                project="multi-tier",
                stack="test",
                dry_run=preview,
                organization=None,
            )  # type: ignore[no-untyped-call]
        )
        SETTINGS.callbacks = RecordingCallbacks(deployment)
        pulumi.runtime.set_all_config(raw, [])
        await run_in_stack(run_program)

    asyncio.run(run())
    for loop in loops:
        loop.close()
    return deployment


def run_program() -> None:
    runpy.run_path(str(PROJECT / "__main__.py"))
