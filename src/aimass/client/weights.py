"""Send a folder of pretrained weights: the files that are weights, and nothing else that lies there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from urllib.parse import quote, urlencode
from zipfile import ZIP_STORED, ZipFile

from aimass.client.generated.cluster_types import Job
from aimass.client.request import API
from aimass.kernel.errors import Failed, Invalid

TOKENIZER, TENSORS = "tokenizer.json", "model.safetensors"
FILES = ("config.json", TOKENIZER, TENSORS)
PICTURE_FILES = ("config.json", "preprocessor_config.json", TENSORS)
_CHUNK = 2**20
_POLL_S = 0.2


def send_weights(client: Any, folder: Path, model: str, description: str) -> dict[str, Any]:
    """Send the files of a folder as weights of a model; return the job that imports them."""
    known = FILES if (folder / TOKENIZER).is_file() else PICTURE_FILES
    files = [name for name in known if (folder / name).is_file()]
    missing = [name for name in (FILES if known is FILES else (TENSORS,)) if name not in files]
    if missing:
        raise Invalid(
            f"there is no {missing[0]} in {folder.name!r}",
            field="folder",
            value=str(folder),
            allowed=list(known),
            hint="save the model as safetensors, with its fast tokenizer or its image processor",
        )
    workspace, name = (quote(str(one), safe="") for one in (client.workspace, model))
    address = f"{API}/workspaces/{workspace}/models/{name}/weights?{urlencode({'description': description})}"
    with TemporaryFile() as file:
        with ZipFile(file, "w", ZIP_STORED) as archive:
            for one in files:
                archive.write(folder / one, one)

        def chunks() -> Iterator[bytes]:
            file.seek(0)
            while chunk := file.read(_CHUNK):
                yield chunk

        return client.transport.send("POST", address, stream=chunks).json()


def wait_for_import(client: Any, job: str, *, timeout_s: float, progress: Callable[[float, str], None] | None) -> Job:
    """Wait until a model was made of weights.

    Raises
    ------
    Failed
        The weights cannot be read, or it did not end in time.
    """
    end = time.monotonic() + timeout_s
    while True:
        found: Job = client.cluster.get_job(job=job)
        if progress is not None:
            progress(found.progress.fraction or 0.0, found.progress.stage or "waits")
        if found.state == "SUCCEEDED":
            return found
        if found.state in ("FAILED", "CANCELLED"):
            error = found.error or {}
            raise Failed(
                str(error.get("detail") or f"the import was {found.state.lower()}"), hint=str(error.get("hint") or "")
            )
        if time.monotonic() > end:
            raise Failed(f"the import did not end within {timeout_s:.0f} s", hint=f"aimass jobs show {job}")
        time.sleep(_POLL_S)
