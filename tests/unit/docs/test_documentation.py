"""What the documents say of the settings, commands and files is what the code says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import get_args

import pytest
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from cloudinit import Family
from cloudinit.families import FACTS
from components.application import Application
from components.database import Database
from components.mesh import REFUSED_PORTS
from components.outputs import outputs
from components.settings import Settings
from components.settings import machines as machines
from components.settings.values import Size
from components.web import Web
from lab.__main__ import app
from lab.cluster.control_plane import COMPONENTS
from lab.config import PROJECT
from lab.toolchain.binaries import MODULES

README = PROJECT / "README.md"
GUESTS = PROJECT / "docs" / "guests.md"
DOCUMENTS = sorted([README, *(PROJECT / "docs").rglob("*.md")])
TIERS = ("database", "application", "web", "load")


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the README's table."""

    allowed: str
    default: str
    meaning: str


def settings_of(model: type[BaseModel], home: str = "") -> Iterator[tuple[str, Setting]]:
    """Yield every setting by its dotted key; an object only where leaving it out means something."""
    for field in model.model_fields.values():
        key, nested = f"{home}{field.alias}", model_in(field)
        if nested is None or field.default is None:
            yield key, Setting(allowed(model, str(field.alias)), shown(field), str(field.description))
        if nested:
            yield from settings_of(nested, f"{key}.")


def model_in(field: FieldInfo) -> type[BaseModel] | None:
    choices = get_args(field.annotation) if isinstance(field.annotation, UnionType) else (field.annotation,)
    return next((one for one in choices if isinstance(one, type) and issubclass(one, BaseModel)), None)


def allowed(model: type[BaseModel], alias: str) -> str:
    """Return what a setting allows, in the words with which it refuses anything else."""
    with pytest.raises(ValidationError) as refusal:
        model.model_validate({alias: object()})
    for detail in refusal.value.errors():
        if detail["loc"][0] == alias and detail["type"] == "value_error":
            return str(detail["ctx"]["error"]).removeprefix("must be ")
    return "an object"


def shown(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default is None:
        return "none"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def table() -> str:
    """Return the README's configuration table; what all three tiers have is one row."""
    found = dict(settings_of(Settings))
    rows: dict[str, Setting] = {}
    for key, setting in found.items():
        tier, _, rest = key.partition(".")
        shared = {one: found.get(f"{one}.{rest}") for one in TIERS if tier in TIERS}
        if shared and all(shared.values()):
            rows.setdefault(f"<tier>.{rest}", merged({one: each for one, each in shared.items() if each}))
        else:
            rows[key] = setting
    lines = [f"| `{key}` | {row.allowed} | {row.default} | {row.meaning} |" for key, row in rows.items()]
    return "\n".join(["| key | allowed | default | meaning |", "|---|---|---|---|", *lines])


def merged(shared: dict[str, Setting]) -> Setting:
    database, application = shared["database"], shared["application"]
    differs = "" if database.default == application.default else f" (database: {database.default})"
    return Setting(application.allowed, application.default + differs, application.meaning)


def test_the_configuration_table_of_the_readme_has_every_key_and_its_default() -> None:
    assert table() in README.read_text(), f"README.md needs this table:\n{table()}"


def test_tiers_differ_in_nothing_that_a_shared_row_hides() -> None:
    found = dict(settings_of(Settings))
    for key, setting in found.items():
        if key.startswith("web.") and f"database.{key.removeprefix('web.')}" in found:
            assert setting == found[f"application.{key.removeprefix('web.')}"]
            assert setting.allowed == found[f"database.{key.removeprefix('web.')}"].allowed


def test_the_readme_names_every_output() -> None:
    text = README.read_text()
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
        figures = [(tier.sizes[size].vcpus, tier.sizes[size].memory) for tier in (machines.Database, machines.Web)]
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
    programs = [program for module in MODULES for program in module.programs if program != "manifests"]
    assert [name for name in {*COMPONENTS, *programs} if name not in text] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
class TestEachDocument:
    def test_links_lead_to_files_that_exist(self, document: Path) -> None:
        targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
        assert [target for target in targets if not (document.parent / target).exists()] == []

    def test_links_to_headings_lead_to_headings(self, document: Path) -> None:
        for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", document.read_text()):
            headings = re.findall(r"^#+ (.+)$", (document.parent / target if target else document).read_text(), re.M)
            slugs = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert anchor in slugs

    def test_commands_of_the_lab_and_of_make_exist(self, document: Path) -> None:
        text = document.read_text()
        commands = {known.name or str(known.callback and known.callback.__name__) for known in app.registered_commands}
        named = {word for words in re.findall(r"-m lab ([a-z|]+)", text) for word in words.split("|")}
        assert named <= commands
        targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.M))
        assert set(re.findall(r"`make ([a-z-]+)", text)) <= targets

    def test_files_of_the_project_that_it_names_exist(self, document: Path) -> None:
        tops = "cloudinit|components|deploy|lab|policy|stacks|tests|docs"
        named = re.findall(rf"`((?:{tops})/[\w./-]+)`", document.read_text())
        assert [path for path in named if not (PROJECT / path).exists()] == []
