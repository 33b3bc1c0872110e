from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from markupsafe import Markup

from aimass.kernel.errors import Failed
from aimass.web.bundle import STATIC, Bundle, attributes
from aimass.web.menu import AREAS

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "src/aimass/web/assets"


def test_every_file_of_the_manifest_is_there_and_mostly_named_by_its_content():
    files = Bundle().files
    assert {"app.js", "console.css", "favicon.svg", "icons.json", "THIRD_PARTY.txt"} <= files.keys()
    assert all((STATIC / name).is_file() for name in files.values())
    assert re.fullmatch(r"app-[A-Z0-9]{8}\.js", files["app.js"])


def test_an_asset_or_icon_that_does_not_exist_is_an_error_that_says_so():
    with pytest.raises(Failed, match=r"no console asset 'nothing\.js'"):
        Bundle().url("nothing.js")
    with pytest.raises(Failed, match="no icon 'no-such-icon'"):
        Bundle().icon("no-such-icon")


def test_a_checkout_without_built_assets_says_how_to_build_them(tmp_path):
    with pytest.raises(Failed, match="not built") as caught:
        Bundle(tmp_path).url("app.js")
    assert "pip install" in caught.value.hint


def test_every_icon_that_a_template_or_page_names_exists():
    shapes = Bundle().shapes
    named = {area.icon for area in AREAS}
    for path in [
        *(ROOT / "src/aimass").glob("**/templates/**/*.html"),
        *(ROOT / "src/aimass").glob("**/capability.py"),
    ]:
        text = path.read_text("utf-8")
        named |= set(re.findall(r'icon(?:=|\()"([a-z0-9-]+)"', text)) | set(
            re.findall(r'ui\.empty\("([a-z0-9-]+)"', text)
        )
    assert sorted(named - shapes.keys()) == []


def test_an_icon_with_a_label_speaks_and_one_without_is_silent():
    assert 'aria-hidden="true"' in Bundle().icon("check")
    assert 'role="img" aria-label="&lt;done&gt;"' in Bundle().icon("check", label="<done>")


def test_attributes_are_escaped_and_colons_come_from_double_underscores():
    written = attributes(
        {"hx_get": "/a?b=1&c=2", "hx_headers__inherited": "x", "class_": "a", "disabled": False, "title": '"'}
    )
    assert written == Markup(' hx-get="/a?b=1&amp;c=2" hx-headers:inherited="x" class="a" title="&#34;"')


def test_assets_are_kept_for_ever_and_go_out_packed(visitor):
    name = Bundle().url("app.js")
    answer = visitor().get(name, headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    assert "javascript" in answer.headers["content-type"]
    assert "content-encoding" not in visitor().get(name, headers={"Accept-Encoding": "identity"}).headers


def test_the_lock_names_no_host_and_every_package_by_its_hash():
    lock = json.loads((ASSETS / "package-lock.json").read_text("utf-8"))
    packages = {path: about for path, about in lock["packages"].items() if path}
    assert all("resolved" not in about and about["integrity"].startswith("sha512-") for about in packages.values())
    asked = json.loads((ASSETS / "package.json").read_text("utf-8"))
    assert all(
        re.fullmatch(r"\d+\.\d+\.\d+", v) for v in {**asked["dependencies"], **asked["devDependencies"]}.values()
    )


def test_the_licences_of_everything_that_is_shipped_are_with_it():
    text = (STATIC / "THIRD_PARTY.txt").read_text("utf-8")
    for name in (
        "htmx.org",
        "echarts",
        "zrender",
        "lucide-static",
        "@fontsource-variable/inter",
        "@fontsource-variable/jetbrains-mono",
    ):
        assert f"\n{name} " in text
    assert "SIL OPEN FONT LICENSE" in text.upper()
    assert "axe-core" not in text


def test_pages_stay_within_their_weight():
    def weigh(name: str) -> int:
        return (STATIC / f"{Bundle().files[name]}.gz").stat().st_size

    fonts = sum((STATIC / f).stat().st_size for n, f in Bundle().files.items() if n == "inter-latin-wght-normal.woff2")
    assert weigh("app.js") + weigh("console.css") + fonts <= 85_000
    assert weigh("charts.js") <= 290_000
