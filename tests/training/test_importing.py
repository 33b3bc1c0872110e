"""Weights from elsewhere: read without programs, refused when they are anything else, and the base of runs."""

from __future__ import annotations

import json
import pickle
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
import polars as pl
import pytest

from aimass.cluster import Jobs
from aimass.infra.blobs import Blobs
from aimass.kernel.errors import Forbidden, Invalid, NotFound
from aimass.models import Models, NotApproved, OneVersion, load_model, read_package
from aimass.training import CreateSplit, StartRun, Training
from aimass.training.children.importing import import_weights, read_archive
from aimass.training.children.tensorfiles import tensors_of
from aimass.training.recipes import find_recipe
from aimass.training.recipes.deep.encodergraph import net_of
from aimass.training.recipes.text_linear.contract import reviews
from aimass.training.service.bases import base_of
from tests.fixtures import weights
from tests.fixtures.deep import needs_torch
from tests.fixtures.rooms import Rooms, person
from tests.training.conftest import MakeJob
from tests.training.place import AMY, ANN, Lakeside, ended, split_made

SAID = ["the parcel came late", "", "Größen! 手机 xylophone", "low " * 90]


def imported(tmp_path: Path, file: bytes | None = None) -> Any:
    path = tmp_path / "weights.zip"
    path.write_bytes(weights.archive() if file is None else file)
    return read_archive(path)


def test_a_job_makes_a_package_that_answers_vectors(make_job: MakeJob, tmp_path: Path) -> None:
    path = tmp_path / "weights.zip"
    path.write_bytes(weights.archive())
    job = make_job({"file": str(path)})
    made = import_weights(job)
    assert (made["layers"], made["width"]) == (weights.LAYERS, weights.WIDTH)
    package = read_package(job.out / "package")
    answers = load_model(package).predict({"text": SAID})
    assert np.asarray(answers["embedding"]).shape == (len(SAID), weights.WIDTH)
    again = net_of((package.folder / "model.onnx").read_bytes())
    first = imported(tmp_path)
    assert again.pieces == first.pieces
    assert all(np.array_equal(again.weights[name], value) for name, value in first.weights.items())


@needs_torch
@pytest.mark.skipif(  # nothing of AI Mass needs it: it is a reference alone
    find_spec("transformers") is None, reason="TRANSFORMERS IS NOT INSTALLED, SO NOTHING WAS COMPARED WITH IT"
)
@pytest.mark.parametrize("kind", ["bert", "distilbert"])
def test_it_says_what_the_libraries_of_hugging_face_say(make_job: MakeJob, tmp_path: Path, kind: str) -> None:
    torch, transformers = (import_module(one) for one in ("torch", "transformers"))  # absent as a rule
    if kind == "bert":
        net: Any = transformers.BertModel(transformers.BertConfig(**weights.config()), add_pooling_layer=False)
    else:
        sizes = {"dim": 16, "hidden_dim": 24, "n_heads": 2, "n_layers": 2, "max_position_embeddings": 40}
        net = transformers.DistilBertModel(
            transformers.DistilBertConfig(**sizes, vocab_size=len(weights.pieces().names) + 8)
        )
    for weight in net.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    folder = tmp_path / "theirs"
    net.eval().save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(weights.tokenizer()))
    path = tmp_path / "weights.zip"
    with ZipFile(path, "w") as archive:
        for name in ("config.json", "tokenizer.json", "model.safetensors"):
            archive.write(folder / name, name)
    job = make_job({"file": str(path)})
    import_weights(job)
    found = np.asarray(load_model(read_package(job.out / "package")).predict({"text": SAID})["embedding"])
    for text, vector in zip(SAID, found, strict=True):
        numbers = torch.tensor([weights.pieces().encode(text, 40)])
        with torch.no_grad():
            theirs = net(input_ids=numbers).last_hidden_state[0].mean(0).numpy()
        assert np.allclose(vector, theirs, atol=2e-5)


class Hostile:
    def __reduce__(self) -> Any:
        return (Path("/tmp/somebody-was-here").touch, ())


CONFIG, TOKENIZER, TENSORS = "config.json", "tokenizer.json", "model.safetensors"


def _json(found: Any) -> bytes:
    return json.dumps(found).encode()


def _without(name: str) -> bytes:
    return weights.tensor_file({one: value for one, value in weights.bert().items() if one != name})


def _moved(offsets: list[Any]) -> bytes:
    header = _json({"x": {"dtype": "F32", "shape": [2], "data_offsets": offsets}})
    return len(header).to_bytes(8, "little") + header + bytes(8)


def _vocabulary(numbers: dict[str, Any]) -> dict[str, Any]:
    return weights.tokenizer(model={**weights.tokenizer()["model"], "vocab": numbers})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pytorch_model.bin": pickle.dumps(Hostile())}, "'pytorch_model.bin' may not be"),
        ({"modeling_own.py": b"import os"}, "'modeling_own.py' may not be"),
        ({"../config.json": b"{}"}, "'../config.json' may not be"),
        ({"/etc/passwd": b"x"}, "'/etc/passwd' may not be"),
        ({TENSORS: None}, "no model.safetensors"),
        ({TENSORS: pickle.dumps(Hostile())}, "header is longer than the file"),
        ({TENSORS: (2**60).to_bytes(8, "little")}, "header is longer"),
        ({TENSORS: (4).to_bytes(8, "little") + b"nope"}, "no JSON"),
        ({TENSORS: _moved([0, 800])}, "does not lie where it says"),
        ({TENSORS: _moved([-8, 0])}, "has no sizes"),
        ({TENSORS: _moved([0, 4])}, "does not lie where it says"),
        ({TENSORS: _without("encoder.layer.1.output.dense.bias")}, "'layers.1.outer.bias' is missing"),
        ({CONFIG: b"[]"}, "is no object"),
        ({CONFIG: _json(weights.config(auto_map={"AutoModel": "modeling_own.Own"}))}, "program of their own"),
        ({CONFIG: _json(weights.config(model_type="llama"))}, "model_type 'llama'"),
        ({CONFIG: _json(weights.config(hidden_act="relu"))}, "hidden_act 'relu'"),
        ({CONFIG: _json(weights.config(num_attention_heads=3))}, "do not fit together"),
        ({CONFIG: _json(weights.config(num_hidden_layers=10**9))}, "num_hidden_layers 1000000000"),
        ({CONFIG: _json(weights.config(hidden_size=32))}, "has the sizes"),
        ({TOKENIZER: _json(weights.tokenizer(model={"type": "BPE"}))}, "type 'BPE'"),
        ({TOKENIZER: _json(weights.tokenizer(added_tokens=[{"content": "<own>"}]))}, "'<own>' was added"),
        ({TOKENIZER: _json(weights.tokenizer(added_tokens=["<own>"]))}, "'<own>' was added"),
        ({TOKENIZER: _json(_vocabulary({"[PAD]": 0, "[UNK]": "1"}))}, "not numbered one by one"),
        ({TOKENIZER: b"[" * 100_000}, "no JSON"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value,
)
def test_what_is_no_plain_weights_is_refused_with_the_reason(tmp_path: Path, changes: Any, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        imported(tmp_path, weights.archive(**changes))
    assert not Path("/tmp/somebody-was-here").exists()


def damaged() -> bytes:
    """Return a packed archive whose weights are damaged."""
    made = BytesIO()
    with ZipFile(BytesIO(weights.archive())) as plain, ZipFile(made, "w", ZIP_DEFLATED) as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
        entry = packed.getinfo(TENSORS)
    torn = bytearray(made.getvalue())
    start = entry.header_offset + 30 + len(entry.filename)
    torn[start + 10 : start + 60] = b"\xff" * 50
    return bytes(torn)


def test_links_torn_archives_and_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "linked.zip"
    with ZipFile(path, "w") as archive:
        link = ZipInfo(TENSORS)
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(Invalid, match="may not be in an import"):
        read_archive(path)
    with pytest.raises(Invalid, match="no readable ZIP"):
        imported(tmp_path, weights.archive()[:-60])
    torn = damaged()
    with pytest.raises(Invalid, match="no readable ZIP"):
        imported(tmp_path, torn)
    odd = weights.bert()
    odd["embeddings.LayerNorm.bias"][3] = np.nan
    with pytest.raises(Invalid, match="'norm.bias' has numbers that are not finite"):
        imported(tmp_path, weights.archive(**{TENSORS: weights.tensor_file(odd)}))


def test_halves_of_floats_are_read_as_what_they_stand_for() -> None:
    values = np.array([1.5, -2.0, 0.25], dtype=np.float32)
    upper = (values.view(np.uint32) >> 16).astype(np.uint16)
    found = tensors_of(weights.tensor_file({"half": values.astype(np.float16), "brain": upper}))
    assert found["half"].tolist() == found["brain"].tolist() == values.tolist()


def begun(rooms: Rooms, who: Any, model: str, file: bytes | None = None) -> Any:
    kept = rooms.get(Blobs).put(weights.archive() if file is None else file)
    workspace = who.grants[0].workspace
    job = rooms.get(Training).import_weights(who, workspace, model, kept.sha256, "tiny")
    return rooms.until(lambda: (found := rooms.get(Jobs).job(workspace, job.id)).has_ended and found)


def test_a_failed_import_leaves_no_version_and_says_why(rooms: Rooms) -> None:
    job = begun(rooms, ANN, "broken", weights.archive(**{"own.py": b"x"}))
    assert job.state == "FAILED"
    assert "may not be in an import of weights" in job.error["detail"]
    with pytest.raises(NotFound):
        rooms.get(Models).version("demo", "broken", 1)


def test_weights_are_a_version_whose_review_decides_who_starts_from_them(rooms: Rooms, training: Training) -> None:
    models, recipe = rooms.get(Models), find_recipe("torch_transformer")
    assert begun(rooms, ANN, "words").state == "SUCCEEDED"
    version = rooms.until(lambda: models.version("demo", "words", 1))
    assert (version.origin, version.runtime, version.author) == ("upload", "onnx", ANN.id)
    name = OneVersion(workspace="demo", model="words", number=1)
    review = rooms.until(lambda: (found := models.get_review(ANN, name)).checked_at and found)
    assert review.has_passed, review.checks
    ground = training._ground

    def base(who: Any, reference: str, workspace: str = "demo") -> Any:
        return base_of(ground, who, workspace, recipe, {"base": reference})

    with pytest.raises(NotApproved):
        base(ANN, "words@1")
    with pytest.raises(Forbidden):
        base(person("Zed", "training.edit"), "words@1")
    with pytest.raises(NotFound, match="no model 'words' in workspace 'auto'"):
        base(AMY, "words@1", "auto")
    with pytest.raises(NotFound):
        base(AMY, "words@1")  # of another workspace
    assert base_of(ground, ANN, "demo", find_recipe("lightgbm"), {"base": "words@1"}) is None


@pytest.mark.long
@needs_torch
def test_a_run_starts_from_imported_weights_that_were_approved(
    rooms: Rooms, training: Training, lakeside: Lakeside
) -> None:
    models = rooms.get(Models)
    assert begun(rooms, AMY, "tiny-words").state == "SUCCEEDED"
    rooms.until(lambda: models.version("auto", "tiny-words", 1).review == "APPROVED")
    truth = np.arange(200) % 2
    frame = pl.DataFrame(
        {"id": range(200), "review": reviews(truth, 1), "mood": [["good", "bad"][one] for one in truth]}
    )
    lakeside.write("moods", frame)
    wish = CreateSplit(workspace="auto", dataset="moods", target="mood", key_column="id", seed=7)
    split = split_made(rooms, wish, AMY)
    params = {"base": "tiny-words@1", "tuning": "lora", "epochs": 3}
    start = StartRun(
        workspace="auto", recipe="torch_transformer", split=split.id, features=["review"], folds=2, params=params
    )
    run = ended(rooms, training.start_run(AMY, start), AMY)
    assert run.state == "FINISHED", run.error
    assert (run.params["base"], run.package and run.package.runtime) == ("tiny-words@1", "onnx")
