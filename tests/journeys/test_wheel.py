"""The wheel in a fresh environment outside the checkout: everything that a user meets is in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from aimass import Client, __version__
from aimass.bootstrap import capabilities
from aimass.web.session import CSRF_COOKIE, CSRF_HEADER
from tests.fixtures.platform import free_port
from tests.fixtures.story import none_left

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
ROOT = Path(__file__).resolve().parents[2]
UV = [sys.executable, "-m", "uv"]
HOSTS = re.compile(rb"pypi\.org/simple|files\.pythonhosted\.org|registry\.npm\w*\.\w+|extra-index-url|find-links")
PAGES = sorted({place.path.format(workspace="lab") for capability in capabilities() for place in capability.pages})


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="am"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def wheel(folder: Path) -> Path:
    build = [*UV, "build", "--wheel", "-q", "-o", str(folder / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, timeout=600)
    (found,) = (folder / "dist").glob("*.whl")
    return found


@dataclass
class Installed:
    """An environment that knows nothing of the checkout."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        return {**kept, "HOME": str(self.folder), "PATH": f"{self.folder / 'venv/bin'}:/usr/bin:/bin"}

    def command(self, *words: str) -> list[str]:
        return [str(self.folder / "venv/bin/aimass"), *words]

    def aimass(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @property
    def static(self) -> Path:
        (found,) = (self.folder / "venv").glob("lib/python*/site-packages/aimass/web/static")
        return found


@pytest.fixture(scope="module")
def installed(folder: Path, wheel: Path) -> Installed:
    """The wheel with what it asks for, nothing else, at the versions of the lock."""
    python = folder / "venv/bin/python"
    subprocess.run([*UV, "venv", "-q", "--python", sys.executable, str(folder / "venv")], check=True)
    install = [*UV, "pip", "install", "-q", "--python", str(python), "-c", str(ROOT / "requirements.lock"), str(wheel)]
    subprocess.run(install, check=True, timeout=600, cwd=folder)
    return Installed(folder)


# -- the file


def test_the_wheel_holds_the_console_the_demo_and_the_types(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    files = json.loads(zipfile.ZipFile(wheel).read("aimass/web/static/manifest.json"))["files"].values()
    assert {f"aimass/web/static/{name}" for name in files} <= names
    wanted = ("bootstrap/data/telco-churn.csv", "bootstrap/data/NOTICE.txt", "web/i18n/zh.mo", "py.typed")
    wanted += ("bootstrap/migrations/versions/0001_initial.py", "access/templates/login.html")
    assert [name for name in wanted if f"aimass/{name}" not in names] == []
    assert not [name for name in names if "/web/assets/" in name or name.startswith("tests/") or ".pyc" in name]


def test_the_wheel_names_neither_the_machine_that_built_it_nor_an_index(wheel: Path) -> None:
    paths = [str(place).encode() for place in (ROOT, Path.home() / ".", Path(sys.prefix), wheel.parent)]
    with zipfile.ZipFile(wheel) as file:
        told = {
            name: [*(path for path in paths if len(path) > 5 and path in data), *HOSTS.findall(data)]
            for name in file.namelist()
            if (data := file.read(name))
        }
    assert {name: found for name, found in told.items() if found} == {}


# -- installed


def test_it_says_its_version_and_its_commands(installed: Installed) -> None:
    assert installed.aimass("--version").stdout.strip() == f"aimass {__version__}"
    told = installed.aimass("--help")
    assert told.returncode == 0
    assert [word for word in ("up", "demo", "doctor", "backup", "predict") if f"\n  {word} " not in told.stdout] == []


def test_the_doctor_is_content_and_names_a_file_of_the_console_that_is_gone(installed: Installed) -> None:
    words = ["doctor", "--data-dir", str(installed.folder / "nothing"), "--port", str(free_port())]
    good = installed.aimass(*words)
    assert good.returncode == 0, good.stdout
    (asset,) = installed.static.glob("app-*.js")
    asset.rename(asset.with_suffix(".away"))
    bad = installed.aimass(*words)
    asset.with_suffix(".away").rename(asset)
    assert (bad.returncode, f"bad console: static/{asset.name} is missing" in bad.stdout) == (1, True), bad.stdout


@dataclass
class Running:
    """A platform that was started as a user starts one."""

    url: str
    data_dir: Path
    password: str
    process: subprocess.Popen[str]


@pytest.fixture(scope="module")
def running(installed: Installed) -> Iterator[Running]:
    port, data_dir = free_port(), installed.folder / "data"
    process = subprocess.Popen(
        installed.command("up", "--data-dir", str(data_dir), "--port", str(port)),
        env=installed.environment,
        cwd=installed.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    told = ""
    while "stop with Ctrl-C" not in told:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        told += line
    (password,) = re.findall(r"sign in as 'admin' with the password (\S+)", told)
    yield Running(f"http://127.0.0.1:{port}", data_dir, password, process)
    process.send_signal(signal.SIGINT)
    assert process.wait(40) == 0, process.stderr.read()
    process.stdout.close()
    process.stderr.close()
    assert none_left(data_dir) == []


@pytest.fixture(scope="module")
def browser(running: Running) -> Iterator[httpx2.Client]:
    """Signed in by the form, with a workspace to look at."""
    with Client(running.url) as client:
        token = client.access.sign_in(name="admin", password=running.password).token
    with Client(running.url, key=token) as client:
        client.access.create_workspace(name="lab")
    with httpx2.Client(base_url=running.url, headers={"accept": "text/html"}, follow_redirects=True) as browser:
        assert browser.get("/login").status_code == 200
        browser.headers[CSRF_HEADER] = browser.cookies[CSRF_COOKIE]
        answer = browser.post("/login", data={"name": "admin", "password": running.password})
        assert answer.status_code == 204, answer.text[:500]
        yield browser


def test_the_pages_of_the_console_and_their_files_are_served(browser: httpx2.Client, installed: Installed) -> None:
    pages = {path: browser.get(path) for path in PAGES}
    assert {path: page.status_code for path, page in pages.items()} == dict.fromkeys(PAGES, 200)
    linked = {name for page in pages.values() for name in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)}
    assert len(linked) >= 3
    kept = {f"/static/{file.name}" for file in installed.static.iterdir() if file.is_file()}
    assert {path: browser.get(path).status_code for path in sorted(linked | kept)} == dict.fromkeys(
        sorted(linked | kept), 200
    )


def test_a_person_works_from_the_terminal(running: Running, installed: Installed) -> None:
    words = ["login", "--url", running.url, "--name", "admin", "--workspace", "lab"]
    done = subprocess.run(
        installed.command(*words),
        input=f"{running.password}\n",
        env=installed.environment,
        cwd=installed.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (installed.folder / "rows.csv").write_text("a,b\n1,x\n2,y\n")
    told = installed.aimass("data", "collect", "rows.csv", "--json")
    assert (told.returncode, json.loads(told.stdout)["rows"]) == (0, 2), told.stderr
