"""Other ways to serve the same requests, in the guests of a stack: the plain recipe, the API in Go, nginx alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from bench.stacks import Running
from cloudinit.constants import DATABASE_NAME, DATABASE_USER
from lab.progress import Progress
from lab.toolchain import cache, debian_package, go

RECIPE_PORT, GO_PORT, STATUS_PORT = 8001, 8002, 8003
_HERE = Path(__file__).parent
_API = _HERE / "api"
_RECIPE = _HERE / "recipe"
_PLACE = "opt/bench"
# Flask and the driver; the guests' image has the rest.
_PACKAGES = ("python3-flask", "python3-werkzeug", "python3-itsdangerous", "python3-psycopg2")
_START = (
    "systemd-run --quiet --collect --unit={unit} --property=EnvironmentFile=-/etc/virtwork/application.env {command}"
)
_READY_SECONDS = 15


@contextmanager
def deployed(stack: Running, progress: Progress) -> Iterator[dict[str, str]]:
    """Serve the alternatives beside the stack's own tiers while the body runs.

    Yields:
        The base URLs of `recipe`, `go` and `nginx`.

    Raises:
        LabError: One can't be built, or doesn't serve.
    """
    guests, application, web = stack.guests, stack.guest("application"), stack.guest("web")
    places = {name: guests.root(name) / _PLACE for name in (application, web)}
    try:
        for place in places.values():
            place.mkdir(parents=True)
            place.chmod(0o755)
        packages = debian_package.unpack(*_PACKAGES) / "usr/lib/python3/dist-packages"
        # Links to packages that the development server doesn't need lead nowhere.
        shutil.copytree(packages, places[application] / "packages", ignore_dangling_symlinks=True)
        shutil.copy(_RECIPE / "server.py", places[application])
        shutil.copy(_built(progress), places[application])
        template = Environment(undefined=StrictUndefined, autoescape=False).from_string(  # noqa: S701 not HTML
            (_RECIPE / "nginx.conf.j2").read_text()
        )
        ports = {"RECIPE_PORT": RECIPE_PORT, "GO_PORT": GO_PORT, "STATUS_PORT": STATUS_PORT}
        (places[web] / "nginx.conf").write_text(template.render(address=guests.address(application), **ports))
        who = f"{DATABASE_USER} {DATABASE_NAME}"
        recipe = f"env PYTHONPATH=/{_PLACE}/packages /usr/bin/python3 /{_PLACE}/server.py {RECIPE_PORT} {who}"
        guests.run(application, _START.format(unit="bench-recipe", command=recipe))
        guests.run(application, _START.format(unit="bench-go", command=f"/{_PLACE}/api {GO_PORT} {who}"))
        nginx = f"nginx -c /{_PLACE}/nginx.conf -g 'daemon off;'"
        guests.run(web, _START.format(unit="bench-nginx", command=nginx))
        for port in (RECIPE_PORT, GO_PORT):
            _await(stack, f"http://localhost:{port}/api/v1/accounts/1")
        address = f"http://{guests.address(web)}"
        yield {"recipe": f"{address}:{RECIPE_PORT}", "go": f"{address}:{GO_PORT}", "nginx": f"{address}:{STATUS_PORT}"}
    finally:
        guests.run(application, "systemctl stop bench-recipe bench-go || true")
        guests.run(web, "systemctl stop bench-nginx || true")


def _built(progress: Progress) -> Path:
    files = [path for path in sorted(_API.iterdir()) if path.is_file()]

    def build(directory: Path) -> None:
        with progress.step("Building the API in Go") as step:
            go.build(_API, ".", directory / "api", "-s -w", step)

    return cache.get("bench", cache.key(path.read_bytes() for path in files), build) / "api"


def _await(stack: Running, url: str) -> None:
    get = f"until curl --fail --silent --output /dev/null {url}; do sleep 0.1; done"
    stack.guests.run(stack.guest("web"), f"timeout {_READY_SECONDS} sh -c '{get}'")
