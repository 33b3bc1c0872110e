"""Pictures are brought in: folders of files, files of MNIST's form, and annotations of COCO's form."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from aimass.collector.connectors.files.manifest import Stream
from aimass.collector.connectors.files.progress import Entry
from aimass.collector.connectors.files.run.one_file import propose_for
from aimass.kernel.errors import Invalid


def painted(width: int, height: int, *, grey: bool = False) -> np.ndarray:
    """Return pixels whose colours tell where they are."""
    rows, columns = np.mgrid[0:height, 0:width]
    plane = np.round(255 * columns / max(width - 1, 1)).astype(np.uint8)
    return (
        plane
        if grey
        else np.stack([plane, np.round(255 * rows / max(height - 1, 1)), 90 + 0 * rows], 2).astype(np.uint8)
    )


def saved(pixels: np.ndarray, form: str = "PNG", **how: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **how)
    return file.getvalue()


def packed(bench, files: Mapping[str, bytes]) -> Path:
    path = bench.root / "pictures.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def stored(bench) -> pl.DataFrame:
    return pl.read_delta(str(bench.target)).sort("file")


def test_folders_are_classes_and_every_format_is_the_same_picture(bench):
    pixels = painted(16, 12)
    path = packed(bench, {
        "set/cat/a.png": saved(pixels),
        "set/cat/b.JPG": saved(pixels, "JPEG", quality=95, subsampling=0),
        "set/dog/c.bmp": saved(pixels, "BMP"),
        "set/dog/d.gif": saved(pixels[..., 0], "GIF", save_all=True, append_images=[Image.fromarray(255 - pixels[..., 0])]),
        "__MACOSX/set/dog/._c.bmp": b"no picture",
        "set/readme.txt": b"words",
    })  # fmt: skip
    plan = bench.propose(path)
    assert (plan["format"], plan["width"], plan["height"], plan["channels"]) == ("pictures", 16, 12, 3)
    assert (plan["fit"], plan["notes"]) == ("letterbox", [])
    bench.collect(path, plan)
    rows = stored(bench)
    assert rows.columns == ["file", "_width", "_height", "image", "label"]
    assert rows["label"].to_list() == ["cat", "cat", "dog", "dog"]
    png, jpeg, bmp, gif = (one.to_numpy().reshape(12, 16, 3) for one in rows["image"])
    assert (png == pixels).all()
    assert (bmp == pixels).all()
    assert np.abs(jpeg - pixels).max() <= 12
    assert (gif == pixels[..., :1]).all()  # the first picture of those that move


def test_sizes_are_brought_to_one_and_borders_keep_proportions(bench):
    path = packed(
        bench, {"a/a.png": saved(painted(20, 10)), "a/b.png": saved(painted(8, 8)), "b/c.png": saved(painted(8, 8))}
    )
    plan = bench.propose(path, width=8, height=8, channels=1)
    assert plan["notes"] == [
        "1 of 3 pictures have another size and are brought to 8 x 8",
        "1 of 3 pictures have other proportions and get black borders",
        "3 of 3 pictures have colours and become grey",
    ]
    bench.collect(path, plan)
    wide = stored(bench)["image"][0].to_numpy().reshape(8, 8)
    assert not wide[[0, 1, 6, 7]].any()
    assert (wide[2:6] > 0).all()
    assert (np.diff(wide[3]) > 0).all()
    bench.collect(path, {**plan, "fit": "stretch"}, batch=2)
    both = stored(bench).filter(pl.col("file") == "a/a.png")["image"]
    assert sorted((one.to_numpy().reshape(8, 8)[:, 4] > 0).sum() for one in both) == [4, 8]


def test_deep_grey_clear_and_turned_pictures_are_read_as_they_are_seen(bench):
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera was held upright
    clear = np.zeros((4, 4, 4), np.uint8)
    clear[:2, :, :] = (10, 20, 30, 255)
    path = packed(bench, {
        "a.png": saved(painted(4, 4, grey=True).astype(np.uint16) * 257),
        "b.png": saved(clear),
        "c.jpg": saved(painted(8, 4), "JPEG", exif=turned.tobytes(), quality=95, subsampling=0),
    })  # fmt: skip
    bench.collect(path, bench.propose(path, width=4, height=4, channels=3, fit="stretch"))
    deep, seen, upright = (one.to_numpy().reshape(4, 4, 3) for one in stored(bench)["image"])
    assert (deep == painted(4, 4, grey=True)[..., None]).all()
    assert seen[0, 0].tolist() == [10, 20, 30]
    assert seen[3, 3].tolist() == [255, 255, 255]
    assert (np.diff(upright[:, 0, 0].astype(int)) > 0).all()  # what went from left to right goes down
    assert stored(bench)["_width"].to_list() == [4, 4, 4]


def bomb(side: int) -> bytes:
    """Return a small file that says that it is a huge picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


def test_what_is_no_picture_goes_to_quarantine_with_its_name_and_blocks_no_other(bench):
    good = saved(painted(6, 6))
    broken = {
        "x/cut.jpg": saved(painted(60, 60), "JPEG")[:400],
        "x/huge.png": bomb(60_000),
        "x/large.png": bomb(8_000),
        "x/text.png": b"<svg onload=alert(1)>",
        "x/torn.png": good[:60] + b"\xff" * 8 + good[68:],
        "x/zero.gif": b"",
    }
    told = bench.collect(packed(bench, {"x/good.png": good, **broken}))
    assert (stored(bench)["file"].to_list(), told["quarantined"]) == (["x/good.png"], len(broken))
    rejected = {raw: reason for raw, _, column, reason in bench.rejected() if column == "image"}
    assert sorted(rejected) == sorted(broken)
    assert "8000 x 8000 pixels, and 50,000,000 are the most" in rejected["x/large.png"]
    assert all(reason.startswith("this is no picture that can be read: ") for reason in rejected.values())


def idx(numbers: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in numbers.shape)
    return bytes([0, 0, 8, numbers.ndim]) + sizes + numbers.astype(np.uint8).tobytes()


def test_files_of_mnist_are_pictures_with_their_classes(bench):
    pixels = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
    path = packed(bench, {
        "train-images-idx3-ubyte.gz": gzip.compress(idx(pixels)),
        "train-labels-idx1-ubyte.gz": gzip.compress(idx(np.array([3, 1, 4, 1, 5]))),
        "t10k-images.idx3-ubyte": idx(pixels[:2] + 100),
        "t10k-labels.idx1-ubyte": idx(np.array([9, 2])),
    })  # fmt: skip
    plan = bench.propose(path)
    assert (plan["width"], plan["height"], plan["channels"]) == (3, 4, 1)
    bench.collect(path, plan)
    rows = stored(bench)
    assert rows["label"].to_list() == ["9", "2", "3", "1", "4", "1", "5"]
    assert rows["file"][2] == "train-images-idx3-ubyte.gz#0"
    assert (np.array(rows["image"].to_list())[2:] == pixels.reshape(5, 12)).all()
    bench.collect(bench.write(gzip.compress(idx(pixels)), "alone.gz"), batch=2)
    assert stored(bench)["label"].null_count() == 5
    short = packed(bench, {"a-images-idx3-ubyte": idx(pixels)[:-1]})
    with pytest.raises(Invalid, match="longer or shorter than it says"):
        bench.collect(short, batch=3)
    for wrong, why in ((pixels[None, ..., :2], "have 2 numbers, not 3"), (pixels[:, :0], "have no pixels")):
        path = packed(bench, {"a-images-idx3-ubyte": idx(wrong)})
        with pytest.raises(Invalid, match=why):
            bench.collect(path, batch=3)
    odd = {"a-images-idx3-ubyte": idx(pixels), "a-labels-idx1-ubyte": idx(np.array([1]))}
    with pytest.raises(Invalid, match="holds 5 pictures"):
        bench.collect(packed(bench, odd), batch=3)


def coco(*pictures: tuple[str, int, int], notes: list[dict[str, Any]], **more: Any) -> bytes:
    images = [{"id": n, "file_name": file, "width": w, "height": h} for n, (file, w, h) in enumerate(pictures)]
    categories = [{"id": 7, "name": "person"}, {"id": 9, "name": "ball"}]
    return json.dumps({"images": images, "categories": categories, "annotations": notes, **more}).encode()


def test_an_archive_whose_names_are_no_letters_is_refused(bench):
    path = packed(bench, {"é.png": saved(painted(4, 4))})
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xfe"))
    with pytest.raises(Invalid, match="packed or a document"):
        bench.propose(path)
    with pytest.raises(Invalid, match="the archive is damaged"):
        bench.propose(path, format="pictures")


def test_annotations_of_coco_become_boxes_and_key_points_in_pixels_of_the_frame(bench):
    notes = [
        {"image_id": 0, "category_id": 7, "bbox": [10, 2, 20, 4], "keypoints": [10, 2, 2, 30, 6, 1, 0, 0, 0]},
        {"image_id": 0, "category_id": 9, "bbox": [0, 0, 40, 20]},
        {"image_id": 0, "category_id": 9, "bbox": [0, 0, 1, 1], "iscrowd": 1},
        {"image_id": 2, "category_id": 9, "bbox": [0, 0, -3, 1]},
    ]
    sizes = [("a.png", 40, 20), ("b.png", 20, 20), ("c.png", 20, 20), ("gone.png", 20, 20), ("other.png", 9, 9)]
    files = {f"images/{name}": saved(painted(w, h)) for name, w, h in sizes if name != "gone.png"}
    files["images/other.png"] = saved(painted(20, 20))
    path = packed(bench, {**files, "annotations/instances_val.json": coco(*sizes, notes=notes)})
    plan = bench.propose(path, width=20, height=20)
    assert [(one["name"], one["type"]) for one in plan["columns"]][-2:] == [("image", "numbers"), ("boxes", "poses")]
    bench.collect(path, plan)
    rows = stored(bench)
    assert rows["file"].to_list() == ["images/a.png", "images/b.png"]
    assert rows["boxes"].to_list() == [
        [
            {"label": "person", "x": 5.0, "y": 6.0, "width": 10.0, "height": 2.0, "keypoints": [5.0, 6.0, 2.0, 15.0, 8.0, 1.0, 0.0, 0.0, 0.0]},
            {"label": "ball", "x": 0.0, "y": 5.0, "width": 20.0, "height": 10.0, "keypoints": None},
        ],
        [],
    ]  # fmt: skip
    reasons = {raw.rpartition("/")[2]: reason for raw, _, _, reason in bench.rejected()}
    assert "it is not in the archive" in reasons["gone.png"]
    assert "has no bbox of x, y, width and height" in reasons["c.png"]
    assert "say that it has 9 x 9 pixels, and it has 20 x 20" in reasons["other.png"]


def test_annotations_without_key_points_have_none_and_broken_ones_are_refused(bench):
    picture = {"a.png": saved(painted(4, 4))}
    notes = [{"image_id": 0, "category_id": 9, "bbox": [0, 1, 2, 2], "keypoints": [0, 0, 0]}]
    path = packed(bench, {**picture, "annotations.json": coco(("a.png", 4, 4), notes=notes)})
    bench.collect(path)
    assert stored(bench)["boxes"].to_list() == [[{"label": "ball", "x": 0.0, "y": 1.0, "width": 2.0, "height": 2.0}]]
    broken = {
        b"[1]": "it is no object",
        b"{": "holds no annotations",
        coco(("a.png", 4, 4), notes=[{"image_id": 5, "category_id": 9, "bbox": [0, 0, 1, 1]}]): "picture '5'",
        coco(("a.png", 4, 4), notes=notes, images=[{"id": 1}]): "no file_name",
        coco(("a.png", 4, 4), notes=[], categories=[{"id": 1}]): "a category has no name",
        coco(("a.png", 4, 4), notes=[], annotations={}): "no list 'annotations'",
    }
    for file, told in broken.items():
        with pytest.raises(Invalid, match=told):
            bench.propose(packed(bench, {**picture, "annotations.json": file}))
    twice = {"annotations.json": coco(("a.png", 4, 4), notes=[]), "instances_x.json": coco(("a.png", 4, 4), notes=[])}
    with pytest.raises(Invalid, match="in two files"):
        bench.propose(packed(bench, {**picture, **twice}))


def test_a_table_in_the_archive_tells_numbers_to_learn(bench):
    files = {
        "a.png": saved(painted(4, 4)),
        "b.png": saved(painted(4, 4)),
        "labels.csv": b"path,label\na.png,2.5\nb.png,x\n",
    }
    path = packed(bench, files)
    plan = bench.propose(path)
    plan["columns"] = [{**one, "type": "float"} if one["name"] == "label" else one for one in plan["columns"]]
    told = bench.collect(path, plan)
    assert (stored(bench)["label"].to_list(), told["quarantined"]) == ([2.5], 1)


def test_documents_with_pictures_inside_streams_and_wrong_sizes_are_refused(bench):
    picture = saved(painted(4, 4))
    with pytest.raises(Invalid, match="packed or a document"):
        bench.propose(packed(bench, {"[Content_Types].xml": b"", "word/media/a.png": picture}))
    path = packed(bench, {"a.png": picture})
    plan = bench.propose(path)
    for wrong in ({"width": 0}, {"channels": 2}, {"fit": "cut"}, {"width": 5000, "height": 5000}):
        with pytest.raises(Invalid) as refused:
            bench.collect(path, {**plan, **wrong})
        assert refused.value.field in wrong
    boxes = [*plan["columns"], {"name": "b", "type": "boxes"}]
    with pytest.raises(Invalid, match="'boxes' is unknown"):
        bench.collect(bench.write("a\n1\n"), {"format": "csv", "columns": boxes})
    with pytest.raises(Invalid, match="pictures come as one file") as refused:
        propose_for(bench.write(picture, "a.png"), Entry(moment=0, path="a.png", size=1, tag="t"), Stream())
    assert "ZIP" in refused.value.hint
