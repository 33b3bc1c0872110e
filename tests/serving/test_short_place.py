"""The folder of a job's sockets: nobody takes that of somebody who lives, and a killed owner's goes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from aimass.serving.children.shortplace import PREFIX, short_place

OWNER = (
    "import sys, time; from pathlib import Path; from aimass.serving.children.shortplace import short_place\n"
    "with short_place(Path(sys.argv[1])) as folder:\n"
    "    (folder / 's').write_text('socket'); print(folder, flush=True); time.sleep(60)"
)


def owner(at: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen([sys.executable, "-c", OWNER, str(at)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_living_owner_keeps_its_folder_and_a_killed_one_does_not(tmp_path: Path) -> None:
    process, folder = owner(tmp_path)
    try:
        with short_place(tmp_path) as mine:
            assert mine != folder
            assert (folder / "s").exists()
    finally:
        process.kill()
        process.communicate()
    assert folder.exists()
    with short_place(tmp_path):
        assert not folder.exists()
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_folder_of_ours_stays(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "kept").mkdir(parents=True)
    (tmp_path / f"{PREFIX}link").symlink_to(elsewhere)
    (tmp_path / f"{PREFIX}file").write_text("a file")
    with short_place(tmp_path):
        assert (elsewhere / "kept").is_dir()
        assert (tmp_path / f"{PREFIX}file").exists()
