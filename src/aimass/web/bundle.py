"""The built assets: hashed names from the manifest, icons, and their delivery."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from aimass.kernel.errors import Failed

STATIC = Path(__file__).parent / "static"
FOREVER = "public, max-age=31536000, immutable"
BRIEFLY = "public, max-age=3600"


class Bundle:
    """What the build hook made, by the names that templates use.

    Parameters
    ----------
    folder
        Where ``manifest.json`` and the files are.
    """

    def __init__(self, folder: Path = STATIC) -> None:
        self.folder = folder

    @cached_property
    def files(self) -> dict[str, str]:
        """Return source name to built name."""
        manifest = self.folder / "manifest.json"
        if not manifest.is_file():
            raise Failed("the console's assets are not built", value=str(manifest), hint="pip install -e . builds them")
        return json.loads(manifest.read_text("utf-8"))["files"]

    @cached_property
    def shapes(self) -> dict[str, str]:
        """Return the inner SVG of each icon."""
        return json.loads((self.folder / self.files["icons.json"]).read_text("utf-8"))

    def url(self, name: str) -> str:
        """Return the address of an asset."""
        if name not in self.files:
            raise Failed(f"there is no console asset {name!r}", value=name, allowed=sorted(self.files))
        return f"/static/{self.files[name]}"

    def icon(self, name: str, size: int = 16, label: str = "") -> Markup:
        """Return an icon as inline SVG; an unknown name is an error, never a broken glyph."""
        if name not in self.shapes:
            raise Failed(f"there is no icon {name!r}", value=name, hint="see the names on lucide.dev/icons")
        naming = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
        return Markup(  # noqa: S704 the shape comes from the package, the rest is escaped
            f'<svg class="icon" {naming} width="{size:d}" height="{size:d}" viewBox="0 0 24 24" fill="none" stroke="currentColor"'
            f' stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round">{self.shapes[name]}</svg>'
        )


class AssetFiles(StaticFiles):
    """Static files: hashed names are kept for ever, and packed copies go out where the browser takes them."""

    def file_response(self, full_path: Any, *args: Any, **kwargs: Any) -> Response:
        """Answer with the file, or with its packed copy."""
        response = super().file_response(full_path, *args, **kwargs)
        path = Path(full_path)
        response.headers["Cache-Control"] = FOREVER if "-" in path.stem else BRIEFLY
        packed = path.with_name(path.name + ".gz")
        if isinstance(response, FileResponse) and _takes_gzip(args[1]) and packed.is_file():
            response = FileResponse(packed, media_type=response.media_type, headers={"Content-Encoding": "gzip"})
            response.headers["Cache-Control"] = FOREVER
        response.headers["Vary"] = "Accept-Encoding"
        return response


def _takes_gzip(scope: Any) -> bool:
    return "gzip" in Headers(scope=scope).get("accept-encoding", "")


def attributes(given: dict[str, Any]) -> Markup:
    """Write keyword arguments as HTML attributes; ``hx_get`` becomes ``hx-get``, None and False are left out.

    Examples
    --------
    >>> attributes({"hx_get": "/x", "disabled": True, "title": None})
    Markup(' hx-get="/x" disabled')
    >>> attributes({"hx_vals": Markup('{"a": 1}')})
    Markup(' hx-vals="{&#34;a&#34;: 1}"')
    """
    parts: list[Markup] = []
    for name, value in given.items():
        if value is None or value is False:
            continue
        if isinstance(value, Markup):
            value = value.replace('"', Markup("&#34;"))  # noqa: PLW2901 what ``tojson`` writes is safe, but for its quotes
        name = name.rstrip("_").replace("__", ":").replace("_", "-")  # noqa: PLW2901 the same thing, spelled for HTML
        value = value.replace('"', "&#34;") if isinstance(value, Markup) else value  # noqa: PLW2901 JSON of `tojson`
        parts.append(escape(" ") + (escape(name) if value is True else Markup('{}="{}"').format(name, value)))
    return Markup("").join(parts)
