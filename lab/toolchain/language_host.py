"""A Python language host for the Pulumi engine, for machines without an official CLI.

The engine's own host is published in its release archive only. The SDK holds a server of the same protocol, which
runs a function in the engine's stack; here that function is the project's `__main__.py`. It runs no policy packs, so
that is here too: a pack is a process of its own, with its own environment, whose output goes to the engine. The engine
starts this program, reads the port from the first line that it prints, and ends it with a signal.
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

# A pack holds one for as long as it runs.
_WORKERS = 16
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class ProgramServer(LanguageServer):
    """Runs the program that the engine names."""

    def __init__(self) -> None:
        super().__init__(lambda: None)

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        """Run the project's program in its own directory and report how it ended."""
        directory = Path(request.info.program_directory)
        os.chdir(directory)
        sys.path.insert(0, str(directory))
        self.program = lambda: _run(directory / "__main__.py")
        answer = super().Run(request, context)  # type: ignore[no-untyped-call]
        # The SDK has shown the error already; with it in the answer, the engine would show it again.
        return language_pb2.RunResponse(bail=True) if answer.error else answer

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802 - the protocol's name
        """Run a policy pack with the Python of its own environment, until the engine has done with it."""
        directory = Path(request.info.program_directory)
        environment = directory / dict(request.info.options).get("virtualenv", "")
        python = environment / "bin" / "python"
        if request.kind != "analyzer" or not python.exists():
            problem = f"Policy packs alone run here, with {python}: `make policy` makes that of this project."
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, problem)
        # As the official host calls it. The kernel ends the pack with this process, however that ends.
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
    """Yield each line as the engine takes it, in the order in which they come, until both streams have ended."""
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
    """Serve until the engine says stop."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=_WORKERS), options=_UNLIMITED)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(ProgramServer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    engine = os.getppid()
    print(port, flush=True)  # noqa: T201 - how the engine learns the port
    # An engine that is killed sends no signal; its child then gets another parent.
    while os.getppid() == engine:
        server.wait_for_termination(timeout=1)


if __name__ == "__main__":
    main()
