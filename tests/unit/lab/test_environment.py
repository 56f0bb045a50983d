"""What the lab tells Pulumi and kubectl."""

from pathlib import Path

from lab import environment
from lab.config import DEFAULT_SUBNET, Lab


def test_the_engine_finds_no_directory_for_its_own_log_unless_somebody_made_one(tmp_path: Path) -> None:
    lab = Lab(tmp_path, DEFAULT_SUBNET)
    logs = lab.plugins.parent / "logs"
    environment.write(lab)
    assert logs.is_file()

    logs.unlink()
    logs.mkdir()
    environment.write(lab)
    assert logs.is_dir()
