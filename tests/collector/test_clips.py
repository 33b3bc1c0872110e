"""Clips of sound are brought in from WAV files: one rate, one length, a label for each."""

from __future__ import annotations

import io
import wave
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from aimass.collector.connectors.files.manifest import Stream
from aimass.collector.connectors.files.progress import Entry
from aimass.collector.connectors.files.run.one_file import propose_for
from aimass.kernel.errors import Invalid


def wav(samples: np.ndarray, rate: int = 8000, width: int = 2) -> bytes:
    """Write samples from -1 to 1; more than one row of them are channels."""
    whole = np.round(np.atleast_2d(samples).T * (2 ** (8 * width - 1) - 1)).astype("<i4")
    raw = (
        (whole + 128).astype(np.uint8)
        if width == 1
        else np.ascontiguousarray(whole).view(np.uint8).reshape(-1, 4)[:, :width]
    )
    file = io.BytesIO()
    with wave.open(file, "wb") as opened:
        opened.setnchannels(whole.shape[1])
        opened.setsampwidth(width)
        opened.setframerate(rate)
        opened.writeframes(raw.tobytes())
    return file.getvalue()


def packed(bench, files: Mapping[str, bytes]) -> Path:
    path = bench.root / "clips.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tone(seconds: float, rate: int = 8000, hertz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def stored(bench) -> pl.DataFrame:
    return pl.read_delta(str(bench.target)).sort("path")


def test_a_folder_of_clips_is_rows_of_one_rate_and_length_with_the_folder_as_label(bench):
    path = packed(bench, {
        "words/yes/a.wav": wav(tone(0.25)),
        "words/no/b.WAV": wav(tone(0.1)),
        "words/no/c.wav": wav(tone(0.25, rate=16_000), rate=16_000),
        "words/.hidden/d.wav": b"no clip",
        "words/readme.txt": b"words",
    })  # fmt: skip
    plan = bench.propose(path)
    assert (plan["format"], plan["sample_rate"], plan["clip_ms"]) == ("wav", 8000, 250)
    assert [(c["name"], c["type"]) for c in plan["columns"]] == [
        ("path", "string"), ("label", "string"), ("_rate", "integer"), ("_seconds", "float"), ("samples", "numbers"),
    ]  # fmt: skip
    assert plan["notes"] == [
        "1 of 3 clips are shorter than 250 ms and end in silence",
        "1 of 3 clips have another rate and are resampled",
    ]
    bench.collect(path, plan)
    rows = stored(bench)
    assert rows.select("path", "label", "_rate", "_seconds").rows() == [
        ("words/no/b.WAV", "no", 8000, 0.1),
        ("words/no/c.wav", "no", 16_000, 0.25),
        ("words/yes/a.wav", "yes", 8000, 0.25),
    ]
    short, resampled, whole = (np.array(one) for one in rows["samples"])
    assert len(short) == len(resampled) == len(whole) == 2000
    assert np.allclose(whole, tone(0.25), atol=1e-4)
    assert np.allclose(short[:800], tone(0.1), atol=1e-4)
    assert not short[800:].any()
    assert np.abs(resampled - whole)[100:-100].max() < 0.01


def test_rate_and_length_may_be_said_and_longer_clips_are_cut(bench):
    path = packed(bench, {"up/a.wav": wav(tone(0.4)), "down/b.wav": wav(tone(0.2))})
    plan = bench.propose(path, sample_rate=4000, clip_ms=300)
    assert plan["notes"][1] == "1 of 2 clips are longer than 300 ms and are cut"
    bench.collect(path, plan)
    assert stored(bench)["samples"].list.len().to_list() == [1200, 1200]


def test_a_table_in_the_archive_tells_the_labels(bench):
    table = "path,label\na.wav,是\nb.wav,no\n".encode()
    path = packed(bench, {"set/a.wav": wav(tone(0.1)), "set/b.wav": wav(tone(0.1)), "set/labels.csv": table})
    bench.collect(path)
    assert stored(bench)["label"].to_list() == ["是", "no"]
    with pytest.raises(Invalid, match="no columns path and label"):
        bench.collect(packed(bench, {"a.wav": wav(tone(0.1)), "labels.csv": b"file,class\n"}), batch=2)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_of_every_width_are_fractions_and_channels_are_mixed(bench, width, channels):
    found = [tone(0.1), tone(0.1, hertz=900.0)][:channels]
    bench.collect(bench.write(wav(np.array(found), width=width), "a.wav"))
    rows = stored(bench)
    assert rows.select("path", "label").rows() == [(None, None)]
    assert np.allclose(rows["samples"][0].to_numpy(), np.mean(found, axis=0), atol=0.01 if width == 1 else 1e-3)


def test_what_is_no_clip_goes_to_quarantine_and_blocks_no_other(bench):
    cut, compressed = wav(tone(0.1))[:30], bytearray(wav(tone(0.1)))
    compressed[20] = 85  # MP3 in a WAV
    path = packed(bench, {"a/a.wav": wav(tone(0.1)), "a/b.wav": b"RIFF", "a/c.wav": cut, "a/d.wav": bytes(compressed)})
    told = bench.collect(path)
    assert (stored(bench).height, told["quarantined"]) == (1, 3)
    assert [(raw, column) for raw, _, column, _ in bench.rejected()] == [
        ("a/b.wav", "samples"), ("a/c.wav", "samples"), ("a/d.wav", "samples"),
    ]  # fmt: skip
    assert all("no WAV file of whole numbers (PCM)" in reason for _, _, _, reason in bench.rejected())


@pytest.mark.parametrize("way", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_clip_whose_packing_is_damaged_goes_to_quarantine_and_blocks_no_other(bench, way):
    path = packed(bench, {"a/a.wav": wav(tone(0.1))})
    with zipfile.ZipFile(path, "a", way) as archive:
        archive.writestr("a/b.wav", wav(tone(0.1, hertz=300.0)))
        entry = archive.getinfo("a/b.wav")
    torn = bytearray(path.read_bytes())
    start = entry.header_offset + 30 + len(entry.filename)
    torn[start + 10 : start + entry.compress_size] = b"\xff" * (entry.compress_size - 10)
    path.write_bytes(torn)
    told = bench.collect(path)
    assert (stored(bench)["path"].to_list(), told["quarantined"]) == (["a/a.wav"], 1)


def test_archives_without_clips_and_lengths_without_samples_are_refused(bench):
    with pytest.raises(Invalid, match="packed or a document"):
        bench.propose(packed(bench, {"a.txt": b"x"}))
    with pytest.raises(Invalid, match="holds no WAV files"):
        bench.propose(packed(bench, {"a.txt": b"x"}), format="wav")
    with pytest.raises(Invalid, match="no WAV file"):
        bench.propose(packed(bench, {"a.wav": b"RIFF"}))
    path = packed(bench, {"a.wav": wav(tone(0.1))})
    for wrong in ({"clip_ms": 0}, {"sample_rate": 0}, {"clip_ms": 600_000, "sample_rate": 192_000}):
        with pytest.raises(Invalid, match="samples") as refused:
            bench.collect(path, {**bench.propose(path), **wrong})
        assert refused.value.hint


def test_a_stream_of_files_says_how_clips_come(bench):
    path = bench.write(wav(tone(0.1)), "a.wav")
    with pytest.raises(Invalid, match="clips of sound come as one file") as refused:
        propose_for(path, Entry(moment=0, path="a.wav", size=1, tag="t"), Stream())
    assert "ZIP" in refused.value.hint
