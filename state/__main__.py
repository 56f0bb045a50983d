"""Serve the states in a directory to Pulumi: `python -m state DIRECTORY --token-file FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from state.server import serve
from state.store import Store


def main(
    directory: Annotated[Path, typer.Argument(help="Directory of the states, as a file backend's.")],
    token_file: Annotated[Path, typer.Option(help="File with the token that clients need.")],
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 7070,
) -> None:
    """Serve until the process ends. Set PULUMI_BACKEND_URL and PULUMI_ACCESS_TOKEN to use it."""
    token = token_file.read_text().strip()
    if not token:
        raise typer.BadParameter(f"{token_file} is empty.", param_hint="--token-file")
    serve(Store(directory), address, port, token)


if __name__ == "__main__":
    typer.run(main)
