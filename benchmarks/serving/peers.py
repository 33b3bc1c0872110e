"""The peers: how each is installed, started with the same ONNX file, and asked. Versions are pinned; one environment each."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT

PROGRAMS = Path(__file__).parent / "programs"
ENVIRONMENTS = ROOT / ".bench"
_ORT = ("onnxruntime==1.23.2", "numpy")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A serving framework.

    Attributes
    ----------
    goal
        How many times its requests per second, and its CPU per request, AI Mass wants to be better.
    command
        Arguments after the environment's Python; ``{port}``, ``{folder}`` are filled in.
    body
        A request with one row, in the framework's own format.
    first
        Another program that has to run once before, in the same environment.
    has_rpc
        Whether it answers gRPC on the port after its own.
    """

    name: str
    requires: tuple[str, ...]
    goal: float
    command: tuple[str, ...]
    path: str
    body: Callable[[Row], Any]
    first: tuple[str, ...] = ()
    has_rpc: bool = False

    @property
    def python(self) -> Path:
        """The interpreter of its environment."""
        return ENVIRONMENTS / self.name.lower().replace(" ", "-") / "bin" / "python"

    def install(self) -> str | None:
        """Make the environment where it is missing; return why that failed."""
        folder = self.python.parent.parent
        if (folder / ".complete").exists():
            return None
        uv = str(Path(sys.executable).parent / "uv")
        subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)], check=True)
        command = [uv, "pip", "install", "-q", "--python", str(self.python), *_ORT, *self.requires]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            return done.stderr.strip().splitlines()[-1][:200]
        (folder / ".complete").touch()
        return None

    def start(self, folder: Path, port: int) -> subprocess.Popen[bytes]:
        """Start it on a port; everything that it writes lies in the folder."""
        env = {
            **os.environ,
            "PATH": f"{self.python.parent}:{os.environ['PATH']}",
            "BENCH_MODEL": str(folder.parent / "lightgbm" / "model.onnx"),
            "BENCH_PORT": str(port),
            "HOME": str(folder),
            "BENTOML_DO_NOT_TRACK": "True",
            "RAY_USAGE_STATS_ENABLED": "0",
            "PYTHONPATH": str(PROGRAMS),
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
        }
        fill = {"port": port, "rpc_port": port + 1, "folder": folder, "programs": PROGRAMS}
        log = (folder / "log").open("ab")
        for words in (self.first, self.command):
            arguments = [str(self.python), *(word.format(**fill) for word in words)]
            if words is self.command:
                return subprocess.Popen(arguments, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True)
            if words:
                subprocess.run(arguments, cwd=folder, env=env, stdout=log, stderr=log, check=True)
        raise AssertionError


def tensors(row: Row) -> Any:
    """Return a row as a request of the Open Inference Protocol."""
    return {"inputs": [{"name": n, "datatype": _datatype(v), "shape": [1, 1], "data": [v]} for n, v in row.items()]}


def _datatype(value: Any) -> str:
    return "BYTES" if isinstance(value, str) else "INT64" if isinstance(value, int) else "FP32"


def plain(row: Row) -> Any:
    """Return a row as an object."""
    return {"row": row}


def split(row: Row) -> Any:
    """Return a row as MLflow wants it."""
    return {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}}


_UVICORN = ("-m", "uvicorn", "--port", "{port}", "--log-level", "error", "--no-access-log")
PEERS = (
    Peer(
        name="MLServer",
        requires=("mlserver==1.7.1", "uvloop<0.22"),
        goal=20,
        first=("{programs}/mlserver_settings.py", "{folder}"),
        command=("-m", "mlserver.cli.main", "start", "{folder}"),
        path="/v2/models/churn/infer",
        body=tensors,
        has_rpc=True,
    ),
    Peer(
        name="BentoML",
        requires=("bentoml==1.4.39",),
        goal=20,
        command=("-m", "bentoml", "serve", "--port", "{port}", "--working-dir", "{programs}", "bento_service:Churn"),
        path="/predict",
        body=plain,
    ),
    Peer(
        name="MLflow",
        requires=("mlflow==3.17.2",),
        goal=20,
        first=("{programs}/mlflow_model.py", "{folder}/model"),
        command=("-m", "mlflow", "models", "serve", "-m", "{folder}/model", "-p", "{port}", "--env-manager", "local"),
        path="/invocations",
        body=split,
    ),
    Peer(
        name="KServe",
        requires=("kserve==0.21.0",),
        goal=12,
        command=("{programs}/kserve_app.py", "--http_port", "{port}", "--grpc_port", "{rpc_port}"),
        path="/v2/models/churn/infer",
        body=tensors,
        has_rpc=True,
    ),
    Peer(
        name="LitServe",
        requires=("litserve==0.2.19",),
        goal=20,
        command=("{programs}/litserve_app.py",),
        path="/predict",
        body=plain,
    ),
    Peer(
        name="FastAPI def",
        requires=("fastapi", "uvicorn[standard]"),
        goal=8,
        command=(*_UVICORN, "fastapi_app:blocking"),
        path="/predict",
        body=plain,
    ),
    Peer(
        name="FastAPI async",
        requires=("fastapi", "uvicorn[standard]"),
        goal=4,
        command=(*_UVICORN, "fastapi_app:direct"),
        path="/predict",
        body=plain,
    ),
    Peer(
        name="Ray Serve",
        requires=("ray[serve]==2.60.0",),
        goal=100,
        command=("{programs}/ray_app.py",),
        path="/predict",
        body=plain,
    ),
)
