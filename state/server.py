"""The protocol of Pulumi's hosted service, as far as the engine needs it to update stacks."""

from __future__ import annotations

import gzip
import hmac
import json
import re
import uuid
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from state.replay import Document, UnknownEntryError
from state.store import ConflictError, StackName, Store

ORGANIZATION = "organization"  # by which the file backend's references name it as well
_JOURNAL_VERSION = 1
CAPABILITIES = "/api/capabilities"
_STACK = r"/api/stacks/[^/]+/([^/]+)/([^/]+)"
_UPDATE = rf"{_STACK}/update/([^/]+)"
_PREVIEW = "preview-"  # begins the id of an update that changes nothing


class RefusedError(Exception):
    """A request that can't be met."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class Service:
    """What each request does, on the states in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # Method, path, and what answers; None: accepted and dropped, such as the many events that only serve display.
        self.routes: list[tuple[str, str, Callable[..., Document] | None]] = [
            ("GET", CAPABILITIES, lambda *_: {"capabilities": []}),
            ("GET", r"/api/user", self.user),
            ("GET", r"/api/user/stacks", self.stacks),
            ("HEAD", r"/api/stacks/[^/]+/([^/]+)", self.project),
            ("POST", r"/api/stacks/[^/]+/([^/]+)", self.create),
            ("GET", _STACK, self.stack),
            ("DELETE", _STACK, self.delete),
            ("GET", rf"{_STACK}/export", self.export),
            ("POST", rf"{_STACK}/import", self.restore),
            ("PATCH", rf"{_STACK}/tags", lambda *_: {}),
            ("GET", rf"{_STACK}/updates", lambda *_: {"updates": []}),
            ("POST", rf"{_STACK}/decrypt/log-(?:batch-)?decryption", lambda *_: {}),
            ("POST", rf"{_STACK}/(update|preview|refresh|destroy)", self.announce),
            ("POST", _UPDATE, self.begin),
            ("GET", _UPDATE, lambda *_: {"status": "succeeded", "events": []}),  # asked for after an import only
            ("PATCH", rf"{_UPDATE}/journalentries", self.append),
            ("POST", rf"{_UPDATE}/renew_lease", self.renew),
            ("POST", rf"{_UPDATE}/complete", self.complete),
            ("POST", rf"{_UPDATE}/cancel", self.cancel),
            ("POST", rf"{_UPDATE}/events/batch", None),
        ]

    def user(self, _: Document) -> Document:
        """Say who owns the stacks."""
        owner = {"name": ORGANIZATION, "githubLogin": ORGANIZATION}
        return {"id": ORGANIZATION, **owner, "organizations": [owner]}

    def stacks(self, body: Document) -> Document:
        """List the stacks, of one project if the request names it."""
        project = body.get("project")
        names = [one for one in self._store.names() if project in (None, one.project)]
        return {
            "stacks": [{"orgName": ORGANIZATION, "projectName": one.project, "stackName": one.name} for one in names]
        }

    def project(self, _: Document, project: str) -> Document:
        """Say whether a project has stacks."""
        if all(one.project != project for one in self._store.names()):
            raise RefusedError(HTTPStatus.NOT_FOUND, f"No project {project}")
        return {}

    def create(self, body: Document, project: str) -> Document:
        """Create a stack."""
        stack = StackName(project, body["stackName"])
        if self._store.exists(stack):
            raise RefusedError(HTTPStatus.CONFLICT, f"Stack {stack.name} already exists")
        self._store.create(stack, (body.get("state") or {}).get("deployment"))
        return {}

    def stack(self, _: Document, *names: str) -> Document:
        """Describe a stack."""
        stack = self._existing(*names)
        running = self._store.running(stack) or ""
        named = {"orgName": ORGANIZATION, "projectName": stack.project, "stackName": stack.name}
        return {"id": "/".join(names), **named, "activeUpdate": running, "tags": {}, "version": 1}

    def delete(self, body: Document, *names: str) -> Document:
        """Forget a stack that has no resources, or any that the user insists on."""
        stack = self._existing(*names)
        if body.get("force") != "true" and self._store.state(stack).get("resources"):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "Bad Request: Stack still contains resources.")
        self._store.delete(stack)
        return {}

    def export(self, _: Document, *names: str) -> Document:
        """Return a stack's state."""
        return {"version": 3, "deployment": self._store.state(self._existing(*names))}

    def restore(self, body: Document, *names: str) -> Document:
        """Replace a stack's state."""
        self._store.create(self._existing(*names), body["deployment"])
        return {"updateId": str(uuid.uuid4())}

    def announce(self, _: Document, *names: str) -> Document:
        """Name an update that is going to begin."""
        *stack, kind = names
        self._existing(*stack)
        return {"updateID": f"{_PREVIEW if kind == 'preview' else ''}{uuid.uuid4()}"}

    def begin(self, _: Document, project: str, name: str, update: str) -> Document:
        """Begin an update."""
        stack = self._existing(project, name)
        if not update.startswith(_PREVIEW):
            self._store.begin(stack, update)
        return {"version": 1, "token": update, "journalVersion": _JOURNAL_VERSION}

    def append(self, body: Document, project: str, name: str, update: str) -> Document:
        """Add to an update's journal."""
        self._store.append(StackName(project, name), update, body.get("entries") or [])
        return {}

    def renew(self, _: Document, project: str, name: str, update: str) -> Document:
        """Prolong an update's lease."""
        if not update.startswith(_PREVIEW):
            self._store.renew(StackName(project, name), update)
        return {"token": update}

    def complete(self, _: Document, project: str, name: str, update: str) -> Document:
        """End an update, whether it has succeeded or not."""
        if not update.startswith(_PREVIEW):
            self._store.end(StackName(project, name), update)
        return {}

    def cancel(self, _: Document, project: str, name: str, __: str) -> Document:
        """End the update that was killed."""
        self._store.end(self._existing(project, name))
        return {}

    def _existing(self, project: str, name: str) -> StackName:
        stack = StackName(project, name)
        if not self._store.exists(stack):
            raise RefusedError(HTTPStatus.NOT_FOUND, f"No stack {name} in project {project}")
        return stack


class Handler(BaseHTTPRequestHandler):
    """Passes each request on to the service."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = (
        True  # a response is two writes, and the second wouldn't wait for the engine's delayed ACK
    )
    service: ClassVar[Service]
    token: ClassVar[str]

    def _answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            status, document = HTTPStatus.OK, self._call(content)
        except RefusedError as error:
            status, document = error.status, {"code": error.status, "message": str(error)}
        except ConflictError as error:
            status, document = HTTPStatus.CONFLICT, {"code": HTTPStatus.CONFLICT, "message": str(error)}
        except (UnknownEntryError, OSError, ValueError, KeyError) as error:
            problem = f"The state service failed: {error!r}"
            status, document = HTTPStatus.INTERNAL_SERVER_ERROR, {"code": 500, "message": problem}
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the base class's names

    def _call(self, content: bytes) -> Document:
        target = urlsplit(self.path)
        for method, path, call in self.service.routes:
            if method == self.command and (found := re.fullmatch(path, target.path)):
                names = [unquote(name) for name in found.groups()]
                self._authorize(names)
                if call is None:
                    return {}
                query = {key: values[-1] for key, values in parse_qs(target.query).items()}
                return call({**query, **self._document(content)}, *names)
        raise RefusedError(HTTPStatus.NOT_FOUND, f"This state service has no {self.command} {target.path}")

    def _document(self, content: bytes) -> Document:
        body = gzip.decompress(content) if self.headers.get("Content-Encoding") == "gzip" else content
        found: Document = json.loads(body) if body.strip() else {}
        return found

    def _authorize(self, names: list[str]) -> None:
        """Refuse a request without the user's token, or, about an update, that of the update."""
        if self.path == CAPABILITIES:
            return  # which also tell whether the service is ready
        kind, _, token = str(self.headers.get("Authorization")).partition(" ")
        if any(name in ("", ".", "..") or "/" in name for name in names):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "A name in the path is invalid")
        if kind == "update-token" and len(names) > 2 and hmac.compare_digest(token, names[2]):
            return
        if kind != "token" or not hmac.compare_digest(token.encode(), self.token.encode()):
            raise RefusedError(HTTPStatus.UNAUTHORIZED, "Set PULUMI_ACCESS_TOKEN to the token of the state service")

    def log_message(self, *_: Any) -> None:
        """Log nothing: the engine says what it does."""


def serve(store: Store, address: str, port: int, token: str) -> None:
    """Serve until the process ends."""

    class Bound(Handler):
        """The handler of this service."""

    Bound.service, Bound.token = Service(store), token
    with ThreadingHTTPServer((address, port), Bound) as server:
        server.serve_forever()
