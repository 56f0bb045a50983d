"""The lab's components: programs, arguments and readiness checks."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import yaml

from lab.cluster.supervisor import Component
from lab.config import API_SERVER_PORT, CLUSTER_DOMAIN, GATEWAY, NODE_NAME, STATE_PORT, Lab
from lab.toolchain import node_image
from state.server import CAPABILITIES

ETCD_PORT = 2379
VIRT_API_PORT = 8443
SUBRESOURCES = "/apis/subresources.kubevirt.io/v1"
_VIRT_CONTROLLER_PORT = 8182
_CONTROLLER_MANAGER_PORT = 10257
_SCHEDULER_PORT = 10259
_KUBE_PROXY_HEALTH_PORT = 10256
_COREDNS_READY_PORT = 8181

_COREFILE = """\
. {{
    bind {gateway}
    errors
    ready {address}:{ready_port}
    kubernetes {domain} {{
        kubeconfig {{$KUBECONFIG}}
        ttl 5
    }}
    forward . /etc/resolv.conf {{
        except {domain}
    }}
    cache 5
}}
"""


def _tls(pki: Path, identity: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    if identity:
        context.load_cert_chain(pki / f"{identity}.crt", pki / f"{identity}.key")
    return context


def answers(lab: Lab, url: str) -> Callable[[], str | None]:
    """Return a check that a URL answers 200. Only the API server's needs a client certificate."""
    identity = "admin" if url.startswith(lab.api_server) else None

    def check() -> str | None:
        try:
            verify = _tls(lab.pki, identity) if url.startswith("https") else False
            response = httpx.get(url, verify=verify, timeout=2, trust_env=False)
        except httpx.HTTPError as error:
            return f"{url}: {error or type(error).__name__}"
        return None if response.is_success else f"{url}: {response.status_code} {response.text[:200]}"

    return check


def program(lab: Lab, program: str, /, **flags: object) -> list[str]:
    """Return the command line of one of the lab's programs."""
    return [str(lab.binaries / program), *(f"--{flag.replace('_', '-')}={value}" for flag, value in flags.items())]


def _etcd_host(lab: Lab) -> str:
    # The loopback address of the lab's own namespace; on this machine's loopback interface, the lab's own address.
    return "127.0.0.1" if lab.isolated else str(lab.address)


def etcd(lab: Lab) -> Component:
    """The store, on a loopback address, with client certificates."""
    pki = lab.pki
    client, peer = (f"https://{_etcd_host(lab)}:{port}" for port in (ETCD_PORT, ETCD_PORT + 1))
    command = program(
        lab,
        "etcd",
        name=NODE_NAME,
        data_dir=lab.root / "etcd",
        listen_client_urls=client,
        advertise_client_urls=client,
        listen_peer_urls=peer,
        initial_advertise_peer_urls=peer,
        initial_cluster=f"{NODE_NAME}={peer}",
        cert_file=pki / "etcd.crt",
        key_file=pki / "etcd.key",
        client_cert_auth="true",
        trusted_ca_file=pki / "ca.crt",
        peer_cert_file=pki / "etcd.crt",
        peer_key_file=pki / "etcd.key",
        peer_client_cert_auth="true",
        peer_trusted_ca_file=pki / "ca.crt",
        log_level="warn",
    )
    # The readiness of the API server, its only client, covers it.
    return Component("etcd", command, lambda: None)


def kube_apiserver(lab: Lab) -> Component:
    """The API server, on the lab's own address."""
    pki = lab.pki
    issuer = f"https://kubernetes.default.svc.{CLUSTER_DOMAIN}"
    command = program(
        lab,
        "kube-apiserver",
        bind_address=lab.address,
        advertise_address=lab.address,
        secure_port=API_SERVER_PORT,
        etcd_servers=f"https://{_etcd_host(lab)}:{ETCD_PORT}",
        etcd_cafile=pki / "ca.crt",
        etcd_certfile=pki / "kube-apiserver.crt",
        etcd_keyfile=pki / "kube-apiserver.key",
        service_cluster_ip_range=lab.service_subnet,
        authorization_mode="Node,RBAC",
        anonymous_auth="false",
        client_ca_file=pki / "ca.crt",
        tls_cert_file=pki / "kube-apiserver.crt",
        tls_private_key_file=pki / "kube-apiserver.key",
        service_account_issuer=issuer,
        service_account_key_file=pki / "service-account.key",
        service_account_signing_key_file=pki / "service-account.key",
        requestheader_client_ca_file=pki / "ca.crt",
        requestheader_allowed_names="front-proxy",
        requestheader_username_headers="X-Remote-User",
        requestheader_group_headers="X-Remote-Group",
        requestheader_extra_headers_prefix="X-Remote-Extra-",
        proxy_client_cert_file=pki / "front-proxy.crt",
        proxy_client_key_file=pki / "front-proxy.key",
        kubelet_certificate_authority=pki / "ca.crt",
        kubelet_client_certificate=pki / "kube-apiserver-kubelet-client.crt",
        kubelet_client_key=pki / "kube-apiserver-kubelet-client.key",
        kubelet_preferred_address_types="InternalIP",
        enable_aggregator_routing="true",
        allow_privileged="true",
        # A loopback address can't be an endpoint of the Service `kubernetes`. Without guests nothing uses it.
        endpoint_reconciler_type="lease" if lab.isolated else "none",
    )
    return Component("kube-apiserver", command, answers(lab, f"{lab.api_server}/readyz"))


def state(lab: Lab) -> Component:
    """Pulumi's state service, for stacks of so many resources that the file backend would take most of the time."""
    where = (str(lab.backend), "--token-file", str(lab.state_token))
    command = [sys.executable, "-m", "state", *where, "--address", str(lab.address), "--port", str(STATE_PORT)]
    return Component("state", command, answers(lab, f"{lab.state_service}{CAPABILITIES}"))


def _controller(lab: Lab, name: str, port: int, **flags: object) -> Component:
    """Return a controller of Kubernetes' own, with the flags that all of them have."""
    kubeconfig = lab.component_kubeconfig(name)
    command = program(
        lab,
        name,
        bind_address=lab.address,
        secure_port=port,
        kubeconfig=kubeconfig,
        authentication_kubeconfig=kubeconfig,
        authorization_kubeconfig=kubeconfig,
        client_ca_file=lab.pki / "ca.crt",
        tls_cert_file=lab.pki / f"{name}.crt",
        tls_private_key_file=lab.pki / f"{name}.key",
        leader_elect="false",
        **flags,
    )
    return Component(name, command, answers(lab, f"https://{lab.address}:{port}/healthz"))


def kube_controller_manager(lab: Lab) -> Component:
    """Kubernetes' controllers: endpoints, service accounts, garbage collection, volume binding."""
    return _controller(
        lab,
        "kube-controller-manager",
        _CONTROLLER_MANAGER_PORT,
        root_ca_file=lab.pki / "ca.crt",
        service_account_private_key_file=lab.pki / "service-account.key",
        use_service_account_credentials="true",
        # Its default of 20 requests per second would determine how long deleting many objects takes.
        kube_api_qps=500,
        kube_api_burst=1000,
    )


def kube_scheduler(lab: Lab) -> Component:
    """Kubernetes' scheduler."""
    return _controller(lab, "kube-scheduler", _SCHEDULER_PORT)


def virt_api(lab: Lab) -> Component:
    """KubeVirt's API server: admission webhooks and the VM subresources."""
    command = program(
        lab,
        "virt-api",
        kubeconfig=lab.component_kubeconfig("virt-api"),
        listen=lab.address,
        port=VIRT_API_PORT,
        tls_cert_file=lab.pki / "virt-api-server.crt",
        tls_key_file=lab.pki / "virt-api-server.key",
        handler_cert_file=lab.pki / "virt-handler-client.crt",
        handler_key_file=lab.pki / "virt-handler-client.key",
    )
    ready = answers(lab, f"https://{lab.address}:{VIRT_API_PORT}{SUBRESOURCES}")
    return Component("virt-api", command, ready)


def virt_controller(lab: Lab) -> Component:
    """KubeVirt's controller: VirtualMachine -> VirtualMachineInstance -> launcher Pod."""
    command = program(
        lab,
        "virt-controller",
        kubeconfig=lab.component_kubeconfig("virt-controller"),
        launcher_image=node_image.REFERENCE,
        exporter_image="virt-exportserver",
        prom_cert_file=lab.pki / "virt-controller-server.crt",
        prom_key_file=lab.pki / "virt-controller-server.key",
        listen=lab.address,
        port=_VIRT_CONTROLLER_PORT,
    )
    ready = answers(lab, f"https://{lab.address}:{_VIRT_CONTROLLER_PORT}/leader")
    return Component("virt-controller", command, ready)


def coredns(lab: Lab) -> Component:
    """The guests' resolver: cluster names itself, other names through this machine's resolvers."""
    corefile = lab.root / "Corefile"
    text = _COREFILE.format(
        gateway=GATEWAY,
        address=lab.address,
        ready_port=_COREDNS_READY_PORT,
        domain=CLUSTER_DOMAIN,
    )
    # From the environment the path needs no quotes, whatever characters it has.
    environment = {"KUBECONFIG": str(lab.component_kubeconfig("coredns"))}
    ready = answers(lab, f"http://{lab.address}:{_COREDNS_READY_PORT}/ready")
    return Component("coredns", program(lab, "coredns", conf=corefile), ready, environment, {corefile: text})


def kube_proxy(lab: Lab) -> Component:
    """Service addresses: nftables rules in the lab's namespace."""
    configuration = lab.root / "kube-proxy.yaml"
    document = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(lab.component_kubeconfig("kube-proxy"))},
        "mode": "nftables",
        "clusterCIDR": str(lab.guest_subnet),
        "hostnameOverride": NODE_NAME,
        "bindAddress": str(lab.address),
        "healthzBindAddress": f"{lab.address}:{_KUBE_PROXY_HEALTH_PORT}",
        "metricsBindAddress": "127.0.0.1:10249",
        "nodePortAddresses": [f"{lab.address}/32"],
        # With few guests there is little to batch: update the rules at once, not after a second.
        "nftables": {"minSyncPeriod": "100ms"},
        # Connection tracking limits are the whole machine's: leave them alone.
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
    files = {configuration: yaml.safe_dump(document, sort_keys=False)}
    # Its health depends on the node, which may start later.
    ready = answers(lab, f"http://{lab.address}:{_KUBE_PROXY_HEALTH_PORT}/livez")
    return Component("kube-proxy", program(lab, "kube-proxy", config=configuration), ready, files=files)


def own(lab: Lab, name: str, module: str, registered: str) -> Component:
    """Return a component that is a Python module of the lab's, ready once the API server has the object at a path."""
    environment = {"MULTI_TIER_LAB": str(lab.root), "MULTI_TIER_LAB_SUBNET": str(lab.subnet), "PYTHONUNBUFFERED": "1"}
    return Component(name, [sys.executable, "-m", module], answers(lab, lab.api_server + registered), environment)


def node_agent(lab: Lab) -> Component:
    """The node: boots guests, runs their probes, provisions their disks, writes their status."""
    return own(lab, "node-agent", "lab.node", f"/api/v1/nodes/{NODE_NAME}")
