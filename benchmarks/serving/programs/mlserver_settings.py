"""Write the settings of MLServer: ``python mlserver_settings.py FOLDER``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

folder = Path(sys.argv[1])
port = int(os.environ["BENCH_PORT"])
server = {
    "host": "127.0.0.1",
    "http_port": port,
    "grpc_port": port + 1,
    "metrics_port": port + 2,
    "debug": False,
    "parallel_workers": 1,
}
(folder / "settings.json").write_text(json.dumps(server))
(folder / "model-settings.json").write_text(json.dumps({"name": "churn", "implementation": "mlserver_model.Churn"}))
