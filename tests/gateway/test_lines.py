"""The table of where lines begin answers like a dictionary of them, and goes on by its file when a newer one takes its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimass.gateway.plane.proxy.table import read_document
from aimass.kernel.errors import Invalid

HEAD = '{"version":3,"id":"x"}\n'
NAMES = st.text("ab/-0", min_size=1, max_size=8)


def _written(path: Path, routes: list[tuple[str, str]], upstreams: list[tuple[str, str]] = ()) -> Path:  # type: ignore[assignment]
    lines = [*(f"u {key} {text}\n" for key, text in upstreams), *(f"r {key} {text}\n" for key, text in routes)]
    path.write_text(HEAD + "".join(lines))
    return path


@given(
    routes=st.lists(st.tuples(NAMES, st.text("{}1 é", max_size=20)), max_size=60),
    asked=st.lists(NAMES, max_size=20),
)
def test_every_line_is_found_by_its_key_and_nothing_else_is(
    tmp_path_factory: pytest.TempPathFactory, routes: list[tuple[str, str]], asked: list[str]
) -> None:
    document = read_document(_written(tmp_path_factory.mktemp("lines") / "services.txt", routes, [("lab/a", "{}")]))
    known = {key.encode(): text.encode() for key, text in routes}
    for key in [*known, *(name.encode() for name in asked)]:
        assert document.routes.get(key) == known.get(key)
    assert (document.version, len(document.routes), document.upstreams.get(b"lab/a")) == (3, len(routes), b"{}")


def test_a_line_longer_than_any_piece_that_is_read_is_whole(tmp_path: Path) -> None:
    long = "x" * 300_000
    document = read_document(_written(tmp_path / "s", [("lab/a", long), ("lab/b", "{}")]))
    assert (document.routes.get(b"lab/a"), document.routes.get(b"lab/b")) == (long.encode(), b"{}")


def test_a_version_is_read_from_its_own_file_after_a_newer_one_came(tmp_path: Path) -> None:
    old = read_document(_written(tmp_path / "s", [("lab/a", "old")]))
    _written(tmp_path / "new", [("lab/b", "new"), ("lab/a", "newer")]).replace(tmp_path / "s")
    new = read_document(tmp_path / "s")
    assert (old.routes.get(b"lab/a"), old.routes.get(b"lab/b")) == (b"old", None)
    assert (new.routes.get(b"lab/a"), new.routes.get(b"lab/b")) == (b"newer", b"new")


@pytest.mark.parametrize("line", ["x lab/a {}\n", "r lab/a\n", "\n"])
def test_a_line_that_control_never_writes_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "s"
    path.write_text(HEAD + line)
    with pytest.raises((Invalid, ValueError)):
        read_document(path)
