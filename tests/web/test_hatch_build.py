from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import hatch_build

ROOT = Path(__file__).resolve().parents[2]


def test_the_built_files_belong_to_the_present_sources():
    assert hatch_build.built_stamp() == hatch_build.fingerprint()


def test_a_changed_source_changes_the_fingerprint(tmp_path, monkeypatch):
    monkeypatch.setattr(hatch_build, "ASSETS", tmp_path)
    (tmp_path / "a.css").write_text("a{}")
    before = hatch_build.fingerprint()
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "x.js").write_text("x")
    assert hatch_build.fingerprint() == before
    (tmp_path / "a.css").write_text("b{}")
    assert hatch_build.fingerprint() != before


def test_a_missing_asset_stops_the_build(tmp_path, monkeypatch):
    monkeypatch.setattr(hatch_build, "STATIC", tmp_path)
    (tmp_path / "manifest.json").write_text('{"stamp": "", "files": {"app.js": "app-1.js", "console.css": "c.css"}}')
    with pytest.raises(SystemExit, match=r"missing: favicon\.svg, icons\.json, THIRD_PARTY\.txt, app-1\.js, c\.css"):
        hatch_build.require_complete()


def test_a_lock_that_names_a_host_stops_the_build(tmp_path, monkeypatch):
    monkeypatch.setattr(hatch_build, "ASSETS", tmp_path)
    (tmp_path / "package-lock.json").write_text('{"packages": {"a": {"resolved": "https://example.org/a.tgz"}}}')
    with pytest.raises(SystemExit, match="names a registry host"):
        hatch_build.install_packages()


def test_a_catalogue_is_compiled_beside_its_source(tmp_path, monkeypatch):
    folder = tmp_path / "src" / "aimass" / "room" / "i18n"
    folder.mkdir(parents=True)
    (folder / "zh.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\nmsgid "a"\nmsgstr "甲"\n', "utf-8"
    )
    monkeypatch.setattr(hatch_build, "ROOT", tmp_path)
    hatch_build.compile_catalogues()
    assert "甲".encode() in (folder / "zh.mo").read_bytes()


@pytest.mark.long
def test_the_wheel_carries_the_console_and_not_its_sources(tmp_path):
    subprocess.run([sys.executable, "-m", "uv", "build", "--wheel", "-q", "-o", str(tmp_path)], cwd=ROOT, check=True)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    built = {path.name for path in hatch_build.STATIC.iterdir()}
    assert {n.rpartition("/")[2] for n in names if "/web/static/" in n} == built
    assert "aimass/web/i18n/zh.mo" in names
    assert not [n for n in names if "/web/assets/" in n]
