"""The program that the README shows runs as it stands."""

import re
from pathlib import Path

import pytest

from aimass.bootstrap.demo.story import churn_file
from tests.fixtures.platform import running_platform

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.timeout(420)
def test_the_program_of_the_readme_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    with running_platform(tmp_path / "data") as platform:
        with platform.admin("demo") as admin:
            admin.access.create_workspace(name="demo", review="auto")
            admin.access.create_service(name="program", role="admin")
            key = admin.access.create_key(name="program", service="program").text
        exec(compile(program, "README.md", "exec"), {"url": platform.url, "key": key, "path": churn_file()})  # noqa: S102
    said = capsys.readouterr().out
    assert "7032 rows, 11 in quarantine" in said
    assert "churn/1" in said
    assert len(program.splitlines()) <= 26
