"""What a training uses of the machine is seen."""

from __future__ import annotations

import subprocess
import sys
import time

from aimass.training.children import watching
from aimass.training.children.watching import Watch


def test_processors_and_memory_of_a_process_and_of_those_below_it_are_counted() -> None:
    code = "import time; data = bytearray(200_000_000); until = time.process_time() + 0.6\nwhile time.process_time() < until: pass"
    with Watch() as usage:
        before = time.process_time()
        while time.process_time() < before + 0.3:
            pass
        subprocess.run([sys.executable, "-c", code], check=True)
    metrics = usage.metrics()
    assert 0.8 <= metrics["cpu_s"] <= 3
    assert metrics["peak_memory_mb"] > 200
    system = usage.system()
    assert set(system) == {"system.cpu_cores", "system.memory_mb"}
    seconds = [at for at, _ in system["system.memory_mb"]]
    assert seconds == sorted({int(at) for at, *_ in usage.samples})


def test_a_long_training_has_few_points(monkeypatch) -> None:
    monkeypatch.setattr(watching, "MOST_POINTS", 6)
    monkeypatch.setattr(watching, "_FIRST_S", 0.01)
    with Watch() as usage:
        time.sleep(0.6)
    assert 2 <= len(usage.samples) <= 7
    moments = [at for at, *_ in usage.samples]
    assert moments == sorted(moments)
    assert moments[-1] >= 0.6
