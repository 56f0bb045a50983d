"""A Python language host for a Pulumi engine that was built from source.

The official host is published in Pulumi's release archive only. The SDK contains a server of the same protocol, which
runs a function as the program; here that function is the project's `__main__.py`. Policy packs, which that server does
not support, run as processes with their own environment. The engine starts this program, reads the port from its first
line of output, and stops it with a signal.
"""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import IO, Any

import grpc
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

# A policy pack occupies one as long as it runs.
_WORKERS = 16
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class ProgramServer(LanguageServer):
    """A server that runs the program that the engine names."""

    def __init__(self) -> None:
        super().__init__(lambda: None)

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        """Run the project's program in its own directory, and return its result."""
        directory = Path(request.info.program_directory)
        os.chdir(directory)
        sys.path.insert(0, str(directory))
        self.program = lambda: _run(directory / "__main__.py")
        answer = super().Run(request, context)  # type: ignore[no-untyped-call]
        # The SDK has printed the error already; the engine would print one in the response again.
        return language_pb2.RunResponse(bail=True) if answer.error else answer

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802 - the protocol's name
        """Run a policy pack with the Python of its own environment, until the engine cancels the call."""
        directory = Path(request.info.program_directory)
        environment = directory / dict(request.info.options).get("virtualenv", "")
        python = environment / "bin" / "python"
        if request.kind != "analyzer" or not python.exists():
            problem = f"Only policy packs with {python} can run here. Create it with `make policy`."
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, problem)
        # The command of the official host. The kernel terminates the pack when this process ends.
        pack = ["setpriv", "--pdeathsig", "TERM", str(python), "-u", "-m", "pulumi.policy"]
        with subprocess.Popen(
            [*pack, *request.args, str(directory)],
            cwd=directory,
            env=dict(word.split("=", 1) for word in request.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            context.add_callback(process.terminate)
            yield from _output(process)
            yield language_pb2.RunPluginResponse(exitcode=process.wait())


def _output(process: subprocess.Popen[bytes]) -> Iterator[Any]:
    """Yield the lines of both streams in the order of their arrival."""
    lines: SimpleQueue[Any] = SimpleQueue()

    def read(name: str, stream: IO[bytes]) -> None:
        for line in stream:
            field: dict[str, Any] = {name: line}
            lines.put(language_pb2.RunPluginResponse(**field))
        lines.put(None)

    streams = {"stdout": process.stdout, "stderr": process.stderr}
    for named in streams.items():
        Thread(target=read, args=named, daemon=True).start()
    for _ in streams:
        yield from iter(lines.get, None)


def _run(program: Path) -> None:
    runpy.run_path(str(program), run_name="__main__")


def main() -> None:
    """Serve until the engine stops this process or ends."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=_WORKERS), options=_UNLIMITED)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(ProgramServer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    engine = os.getppid()
    print(port, flush=True)  # noqa: T201 - how the engine learns the port
    # A killed engine sends no signal; its children get another parent.
    while os.getppid() == engine:
        server.wait_for_termination(timeout=1)


if __name__ == "__main__":
    main()
