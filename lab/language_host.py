"""A Python language host for the Pulumi engine, for machines without an official CLI.

The engine's own host is published in its release archive only. The SDK holds a server of the same protocol, which
runs a function in the engine's stack; here that function is the project's `__main__.py`. The engine starts this
program, reads the port from the first line that it prints, and ends it with a signal.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

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


def _run(program: Path) -> None:
    runpy.run_path(str(program), run_name="__main__")


def main() -> None:
    """Serve until the engine says stop."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4), options=_UNLIMITED)
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
