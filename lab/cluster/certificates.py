"""The lab's certificate authority, the certificates that it signs, kubeconfigs with them, and a token."""

from __future__ import annotations

import base64
import datetime
from dataclasses import dataclass
from ipaddress import IPv4Address
from secrets import token_hex

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.config import CLUSTER_DOMAIN, NODE_NAME, Lab
from lab.errors import LabError
from lab.files import write_private

_LIFETIME = datetime.timedelta(days=365)
_RENEW_BEFORE = datetime.timedelta(days=30)
_KUBEVIRT_GROUPS = ("system:serviceaccounts", "system:serviceaccounts:kubevirt", "system:authenticated")

CDI_SIGNER = "cdi-signer"
_NEXT_STEP = "Run `make lab-down`, then `make lab`."

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Identity:
    """The subject of a certificate.

    Attributes:
        file: Name of its files, without extension.
        common_name: User name.
        groups: Groups of the user.
        serves: Addresses and DNS names at which it serves.
    """

    file: str
    common_name: str
    groups: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()


def service_account(name: str) -> str:
    """Return the user name of one of KubeVirt's service accounts, to which its RBAC is bound."""
    return f"system:serviceaccount:kubevirt:{name}"


def identities(lab: Lab) -> tuple[Identity, ...]:
    """Return the subjects of all certificates of the lab's components."""
    kubernetes = tuple(
        f"kubernetes{suffix}" for suffix in ("", ".default", ".default.svc", f".default.svc.{CLUSTER_DOMAIN}")
    )
    addresses = ("127.0.0.1", "localhost", str(lab.address))
    return (
        Identity("etcd", "etcd", serves=addresses),
        Identity("kube-apiserver", "kube-apiserver", serves=(*addresses, str(lab.service_subnet[1]), *kubernetes)),
        Identity("front-proxy", "front-proxy"),
        Identity("admin", "admin", ("system:masters",)),
        Identity("node-agent", "node-agent", ("system:masters",)),
        Identity("kube-controller-manager", "system:kube-controller-manager", serves=addresses),
        Identity("kube-proxy", "system:kube-proxy"),
        Identity("coredns", "system:coredns"),
        Identity("virt-api", service_account("kubevirt-apiserver"), _KUBEVIRT_GROUPS),
        Identity("virt-api-server", "virt-api", serves=(*addresses, "virt-api.kubevirt.svc")),
        Identity("virt-controller", service_account("kubevirt-controller"), _KUBEVIRT_GROUPS),
        Identity("virt-controller-server", "virt-controller", serves=addresses),
        Identity("virt-handler", service_account("kubevirt-handler"), _KUBEVIRT_GROUPS),
        # A kubelet is its node.
        Identity("kubelet", f"system:node:{NODE_NAME}", ("system:nodes",), (str(lab.address), NODE_NAME)),
        Identity("kube-apiserver-kubelet-client", "kube-apiserver-kubelet-client", ("system:masters",)),
        Identity("network-policy-controller", "system:network-policy-controller"),
        Identity("kube-scheduler", "system:kube-scheduler", serves=addresses),
        # By these names, which KubeVirt's operator gives them, virt-api and virt-handler know each other.
        Identity("virt-handler-client", "kubevirt.io:system:client:virt-handler"),
        Identity("virt-handler-server", "kubevirt.io:system:node:virt-handler", serves=addresses),
        Identity("virt-handler-migration", "kubevirt.io:system:client:migration"),
        Identity("cdi-apiserver-server", "cdi-api", serves=("cdi-api.cdi.svc",)),
    )


def _pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(common_name: str, groups: tuple[str, ...] = ()) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: PrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + _LIFETIME)
    )


class Authority:
    """A certificate authority."""

    def __init__(self, common_name: str, key: PrivateKey | None = None) -> None:
        self._key = key or ec.generate_private_key(ec.SECP256R1())
        self._name = _name(common_name)
        self.certificate = (
            _builder(self._name, self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def pair(self) -> tuple[bytes, bytes]:
        """Return its own certificate and its key, both in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM), _pem(self._key)

    def issue(self, identity: Identity) -> tuple[bytes, bytes]:
        """Return a new certificate and its key, both in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(identity.common_name, identity.groups), self._name, key).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]),
            critical=False,
        )
        if identity.serves:
            names = [_general_name(name) for name in identity.serves]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM), _pem(key)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(IPv4Address(name))
    except ValueError:
        return x509.DNSName(name)


def _kubeconfig(lab: Lab, identity: Identity) -> bytes:
    """Return a kubeconfig that contains its certificates, so that it can be copied."""

    def encoded(name: str) -> str:
        return base64.b64encode((lab.pki / name).read_bytes()).decode()

    name, user = "multi-tier-lab", identity.common_name
    cluster = {"server": lab.api_server, "certificate-authority-data": encoded("ca.crt")}
    credentials = {
        "client-certificate-data": encoded(f"{identity.file}.crt"),
        "client-key-data": encoded(f"{identity.file}.key"),
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
        "current-context": name,
    }
    return yaml.safe_dump(document, sort_keys=False).encode()


def _exist(lab: Lab) -> bool:
    """Whether the certificates exist.

    Raises:
        LabError: They are for another subnet or about to expire.
    """
    if not lab.kubeconfig.exists():
        return False
    certificate = x509.load_pem_x509_certificate((lab.pki / "kube-apiserver.crt").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    served = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    if str(lab.address) not in served:
        raise LabError(f"The lab in {lab.root} was started on another subnet than {lab.subnet}. {_NEXT_STEP}")
    if certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC) < _RENEW_BEFORE:
        raise LabError(f"The lab's certificates expire on {certificate.not_valid_after_utc:%Y-%m-%d}. {_NEXT_STEP}")
    return True


def _rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _write(lab: Lab, file: str, pair: tuple[bytes, bytes]) -> None:
    for kind, content in zip(("crt", "key"), pair, strict=True):
        write_private(lab.pki / f"{file}.{kind}", content)


def ensure(lab: Lab) -> None:
    """Create the lab's certificates, keys and kubeconfigs, unless they exist.

    Raises:
        LabError: Those that exist are for another subnet or about to expire.
    """
    if _exist(lab):
        return
    lab.pki.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = Authority("multi-tier lab")
    certificate, _ = authority.pair()  # its key is never saved
    write_private(lab.pki / "ca.crt", certificate)
    write_private(lab.pki / "service-account.key", _pem(_rsa_key()))
    if lab.simulated:
        write_private(lab.state_token, f"{token_hex()}\n".encode())
    if lab.machines:
        # CDI's controller signs the certificates of each upload itself, always with an RSA key.
        _write(lab, CDI_SIGNER, Authority("multi-tier lab CDI", _rsa_key()).pair())
    for identity in identities(lab):
        _write(lab, identity.file, authority.issue(identity))
        write_private(lab.component_kubeconfig(identity.file), _kubeconfig(lab, identity))
    lab.component_kubeconfig("admin").rename(lab.kubeconfig)
