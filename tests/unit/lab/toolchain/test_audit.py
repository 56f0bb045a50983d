"""What the audit understands of its tools' reports: vulnerabilities, and what could not be looked up."""

from __future__ import annotations

import json
from pathlib import Path

from lab.config import PROJECT
from lab.toolchain import audit
from lab.toolchain.audit import LOCKS, Audit, modules, packages


def test_every_lock_is_audited() -> None:
    found = {path for depth in ("", "[!.]*/", "[!.]*/*/") for path in PROJECT.glob(f"{depth}*requirements*.txt")}
    assert {str(path.relative_to(PROJECT)) for path in found} == {*LOCKS}


def test_a_packages_vulnerabilities_are_reported_with_the_versions_that_fix_them() -> None:
    vulnerable = {"id": "PYSEC-1", "fix_versions": ["1.1", "2.0"]}, {"id": "PYSEC-2", "fix_versions": []}
    report = [{"name": "safe", "version": "1", "vulns": []}, {"name": "old", "version": "1.0", "vulns": vulnerable}]

    assert packages("requirements.txt", json.dumps({"dependencies": report})) == Audit(
        "requirements.txt", ("old 1.0: PYSEC-1, fixed in 1.1, 2.0", "old 1.0: PYSEC-2, not fixed")
    )


def test_a_package_that_the_service_does_not_know_is_not_checked() -> None:
    report = {"dependencies": [{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "not found"}]}

    assert packages("requirements.txt", json.dumps(report)).unchecked == "1 of 2 packages: not found, ..."


def test_a_programs_vulnerabilities_are_reported_once_each() -> None:
    finding = {"osv": "GO-1", "fixed_version": "v1.2.0", "trace": [{"module": "example.com/a", "version": "v1.1.0"}]}
    unfixed = {"osv": "GO-2", "trace": [{"module": "stdlib", "version": "v1.26.0"}, {"module": "b"}]}
    messages = [{"config": {}}, {"osv": {"id": "GO-1"}}, *({"finding": one} for one in (finding, finding, unfixed))]

    assert modules("k6", "\n".join(json.dumps(one, indent=2) for one in messages)) == Audit(
        "k6", ("example.com/a v1.1.0: GO-1, fixed in v1.2.0", "stdlib v1.26.0: GO-2, not fixed")
    )


def test_a_tool_that_reaches_no_database_leaves_its_subject_unchecked(tmp_path: Path) -> None:
    tool = tmp_path / "govulncheck"
    tool.write_text("#!/bin/sh\necho 'fetching vulnerabilities: no such host' >&2\nexit 1\n")
    tool.chmod(0o755)
    (tmp_path / "pip_audit.py").write_text("raise SystemExit('ConnectionError: no such host')")

    assert "no such host" in audit._go("k6", tmp_path / "k6", tool).unchecked
    assert audit._python("requirements.txt", tmp_path).unchecked == "ConnectionError: no such host"
