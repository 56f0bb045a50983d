"""What the documents say about outputs, guests, commands and files is what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cloudinit import Family
from cloudinit.families import FACTS
from components.application import Application
from components.database import Database
from components.mesh import REFUSED_PORTS
from components.outputs import outputs
from components.settings import Settings
from components.settings.machines import Size
from components.settings.tiers import DatabaseSettings, WebSettings
from components.web import Web
from lab.__main__ import app
from lab.cluster.stages import NAMES
from lab.config import PROJECT
from lab.toolchain.binaries import MODULES
from tests.documented_commands import slug

README = PROJECT / "README.md"
GUESTS = PROJECT / "docs" / "guests.md"
CONTRIBUTING = PROJECT / "CONTRIBUTING.md"
DECISIONS = PROJECT / "docs" / "decisions"
DOCUMENTS = sorted([README, CONTRIBUTING, *(PROJECT / "docs").rglob("*.md")])


def test_the_cluster_page_names_every_output() -> None:
    text = (PROJECT / "docs" / "cluster.md").read_text()
    assert [name for name in outputs(Settings()) if f"| `{name}` |" not in text] == []


def test_the_guests_page_has_the_names_that_the_families_give() -> None:
    text = GUESTS.read_text()
    facts = [FACTS[family] for family in Family]
    rows: dict[str, list[tuple[str, ...]]] = {
        "database packages": [one.database_packages for one in facts],
        "application packages": [one.application_packages for one in facts],
        "web packages": [one.web_packages for one in facts],
        "load packages": [one.load_packages for one in facts],
        "storage packages, with `database.fio`": [one.storage_packages for one in facts],
        "data disk mounted at": [(one.database_mount,) for one in facts],
        "PostgreSQL drop-ins": [(one.postgresql_drop_in,) for one in facts],
        "nginx runs as": [(one.nginx_user,) for one in facts],
    }
    for title, values in rows.items():
        cells = [", ".join(f"`{value}`" for value in each) for each in values]
        assert f"| {title} | {' | '.join(cells)} |" in text


def test_the_guests_page_has_the_figures_of_every_size() -> None:
    text = GUESTS.read_text()
    for size in Size:
        figures = [(tier.sizes[size].vcpus, tier.sizes[size].memory) for tier in (DatabaseSettings, WebSettings)]
        cells = [f"{vcpus} CPU{'s' if vcpus > 1 else ''}, {memory}" for vcpus, memory in figures]
        assert f" | {' | '.join(cells)} |" in text


def test_the_guests_page_has_every_tiers_port_and_probe() -> None:
    text = GUESTS.read_text()
    for tier in (Database, Application, Web):
        path = tier.endpoint.readiness.get("httpGet", {}).get("path")
        probe = f"`GET {path}`" if path else "TCP connect"
        assert f"| {tier.tier} | {tier.endpoint.port} | `{tier.endpoint.port_name}` | {probe} |" in text


def test_the_mesh_page_names_every_refused_port() -> None:
    text = (PROJECT / "docs" / "mesh.md").read_text()
    assert [port for port in REFUSED_PORTS if not re.search(rf"\b{port}\b", text)] == []


def test_the_lab_page_names_every_component_and_program() -> None:
    text = (PROJECT / "docs" / "how-the-lab-works.md").read_text()
    run = [program for module in MODULES if not module.for_audit for program in module.programs]
    programs = [program for program in run if not program.endswith("manifests")]
    assert [name for name in {*NAMES, *programs} if name not in text] == []


def test_the_list_of_decisions_has_every_record_under_its_title() -> None:
    listed = re.findall(r"^- (\d+): \[(.+)\]\((.+)\)$", (DECISIONS / "README.md").read_text(), re.M)
    records = sorted(DECISIONS.glob("[0-9]*.md"))
    assert [(f"{number}. {title}", name) for number, title, name in listed] == [
        (path.read_text().splitlines()[0].removeprefix("# "), path.name) for path in records
    ]


def test_the_index_links_every_page() -> None:
    pages = [path for path in (PROJECT / "docs").glob("*.md") if path.name != "README.md"]
    text = (PROJECT / "docs" / "README.md").read_text()
    assert [path.name for path in [*pages, *(PROJECT / "docs" / "users").glob("*.md")] if path.name not in text] == []


def test_the_readme_fits_on_two_screens() -> None:
    assert len(README.read_text().splitlines()) <= 110


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
class TestEachDocument:
    def test_links_lead_to_files_that_exist(self, document: Path) -> None:
        targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
        assert [target for target in targets if not (document.parent / target).exists()] == []

    def test_links_to_headings_lead_to_headings(self, document: Path) -> None:
        for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", document.read_text()):
            headings = re.findall(r"^#+ (.+)$", (document.parent / target if target else document).read_text(), re.M)
            assert anchor in [slug(heading) for heading in headings]

    def test_commands_of_the_lab_and_of_make_exist(self, document: Path) -> None:
        text = document.read_text()
        commands = {known.name or str(known.callback and known.callback.__name__) for known in app.registered_commands}
        named = {word for words in re.findall(r"-m lab ([a-z|]+)", text) for word in words.split("|")}
        assert named <= commands
        targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.M))
        assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets

    def test_files_of_the_project_that_it_names_exist(self, document: Path) -> None:
        tops = "bench|cloudinit|components|deploy|docs|kube|lab|measure|policy|preview|stacks|tests"
        named = re.findall(rf"`((?:{tops})/[\w./-]+)`", document.read_text())
        assert [path for path in named if not (PROJECT / path).exists()] == []
