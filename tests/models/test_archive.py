from __future__ import annotations

import io
import random
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZipFile, ZipInfo

import pytest

from aimass.kernel.errors import TooLarge
from aimass.models import BrokenPackage, Package, verify_package
from aimass.models.archive import unpack


def zipped(files: dict[str, bytes]) -> io.BytesIO:
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(ZipInfo(name), data)
    return buffer


def files_of(package: Package, top: str = "") -> dict[str, bytes]:
    return {f"{top}{path.name}": path.read_bytes() for path in package.folder.iterdir()}


@pytest.mark.parametrize("top", ["", "my-model/"])
def test_a_zipped_package_comes_out_whole(package: Package, tmp_path: Path, top: str) -> None:
    folder = unpack(zipped(files_of(package, top)), tmp_path / "out")
    assert verify_package(folder).digest == package.digest


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil"])
def test_a_path_that_leaves_the_folder_is_refused(package: Package, tmp_path: Path, name: str) -> None:
    with pytest.raises(BrokenPackage):
        unpack(zipped({**files_of(package), name: b"x"}), tmp_path / "out")
    assert not (tmp_path / "evil").exists()


def test_an_upload_cut_off_half_way_is_refused(package: Package, tmp_path: Path) -> None:
    data = zipped(files_of(package)).getvalue()
    with pytest.raises(BrokenPackage, match="no readable ZIP"):
        unpack(io.BytesIO(data[: len(data) // 2]), tmp_path / "out")


def test_an_upload_without_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenPackage, match=r"no manifest\.json"):
        unpack(zipped({"model.onnx": b"x"}), tmp_path / "out")


def test_an_upload_that_unpacks_to_too_much_is_refused(package: Package, tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match="bytes unpacked"):
        unpack(zipped(files_of(package)), tmp_path / "out", max_bytes=100)
    with pytest.raises(TooLarge, match="1001 files"):
        unpack(zipped({f"f{number}": b"" for number in range(1001)}), tmp_path / "many")


def test_a_link_in_the_upload_is_refused(package: Package, tmp_path: Path) -> None:
    buffer = zipped(files_of(package))
    with ZipFile(buffer, "a") as archive:
        link = ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(BrokenPackage, match="is a link"):
        unpack(buffer, tmp_path / "out")


@pytest.mark.parametrize("how", [ZIP_DEFLATED, ZIP_BZIP2, ZIP_LZMA])
def test_a_damaged_stream_is_the_upload_s_fault(package: Package, tmp_path: Path, how: int) -> None:
    buffer = zipped(files_of(package))
    with ZipFile(buffer, "a", how) as archive:
        archive.writestr("extra.bin", random.Random(0).randbytes(50_000))
        start = archive.getinfo("extra.bin").header_offset
    data = bytearray(buffer.getvalue())
    data[start + 60 : start + 4000] = bytes(3940)
    with pytest.raises(BrokenPackage, match="no readable ZIP"):
        unpack(io.BytesIO(bytes(data)), tmp_path / "out")


def test_a_compression_that_nobody_knows_is_refused(package: Package, tmp_path: Path) -> None:
    data = bytearray(zipped(files_of(package)).getvalue())
    for mark, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = data.find(mark)
        data[at + place : at + place + 2] = (77).to_bytes(2, "little")
    with pytest.raises(BrokenPackage, match="no readable ZIP"):
        unpack(io.BytesIO(bytes(data)), tmp_path / "out")


@pytest.mark.parametrize("name", ["/".join("a" * 300), "a" * 300 + ".bin"])
def test_names_that_no_file_system_takes_are_refused_before_anything_is_written(
    package: Package, tmp_path: Path, name: str
) -> None:
    with pytest.raises(BrokenPackage, match="may not be in a package"):
        unpack(zipped({**files_of(package), name: b"x"}), tmp_path / "out")
    assert not list(tmp_path.rglob("a*"))


def test_a_manifest_that_is_nested_without_end_is_refused(package: Package, tmp_path: Path) -> None:
    folder = unpack(zipped({**files_of(package), "manifest.json": b"[" * 200_000}), tmp_path / "out")
    with pytest.raises(BrokenPackage, match="not JSON"):
        verify_package(folder)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("x.bin", "x.bin"), ("x", "x/y"), ("x/y/z", "x")])
def test_two_files_at_one_place_are_refused(package: Package, tmp_path: Path, names: tuple[str, str]) -> None:
    buffer = zipped(files_of(package))
    with ZipFile(buffer, "a") as archive:
        for name in names:
            archive.writestr(name, b"x")
    with pytest.raises(BrokenPackage, match="two files of the upload"):
        unpack(buffer, tmp_path / "out")
