"""A guest's access to the Kubernetes API, as files."""

from dataclasses import dataclass, field

from cloudinit.guest_files import SECRET, GuestFile


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiAccess:
    """An account in the Kubernetes API.

    Attributes:
        server: Base URL of the API server.
        namespace: The namespace that it has rights in.
        token: Its bearer token.
        certificate_authority: The API server's certificate authority, as PEM.
    """

    server: str
    namespace: str
    token: str = field(repr=False)
    certificate_authority: str


def api_files(access: ApiAccess, directory: str) -> list[GuestFile]:
    """Return the files that the guests' API client reads; only root may."""
    contents = {
        "url": f"{access.server}/api/v1/namespaces/{access.namespace}",
        "token": access.token,
        "ca.crt": access.certificate_authority,
    }
    return [GuestFile(path=f"{directory}/{name}", content=text, mode=SECRET) for name, text in contents.items()]
