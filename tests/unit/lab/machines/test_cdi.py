"""What CDI's components find on a node, where no operator has prepared it."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from lab.cluster import certificates
from lab.cluster.objects import Manifest
from lab.config import DEFAULT_SUBNET, GuestKind, Lab
from lab.machines import cdi


@pytest.fixture
def found(tmp_path: Path) -> dict[str, Manifest]:
    lab = Lab(tmp_path, DEFAULT_SUBNET, kind=GuestKind.MACHINES)
    certificates.ensure(lab)
    return {item["metadata"]["name"]: item for item in cdi.objects(lab, [])}


def secret(found: dict[str, Manifest], name: str, key: str) -> bytes:
    return base64.b64decode(found[name]["data"][key])


def test_each_end_of_an_upload_trusts_what_the_controller_signs_for_the_other(found: dict[str, Manifest]) -> None:
    for name in ("cdi-uploadserver-signer", "cdi-uploadserver-client-signer"):
        certificate = secret(found, name, "tls.crt")
        assert found[f"{name}-bundle"]["data"]["ca-bundle.crt"].encode() == certificate
        assert (
            x509.load_pem_x509_certificate(certificate)
            .extensions.get_extension_for_class(x509.BasicConstraints)
            .value.ca
        )
        assert isinstance(load_pem_private_key(secret(found, name, "tls.key"), None), rsa.RSAPrivateKey)


def test_cdis_api_server_is_known_by_the_name_of_its_service(found: dict[str, Manifest]) -> None:
    certificate = x509.load_pem_x509_certificate(secret(found, "cdi-apiserver-server-cert", "tls.crt"))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["cdi-api.cdi.svc"]
    issuer = x509.load_pem_x509_certificate(found["cdi-apiserver-signer-bundle"]["data"]["ca-bundle.crt"].encode())
    certificate.verify_directly_issued_by(issuer)
