"""The job ``training.import_weights``: weights from elsewhere become the graph of a model of texts or of pictures.

Sizes, pieces, scales and numbers are read and nothing else. None of the files is a program, no other file may lie beside
them, and nothing is fetched from anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

from aimass.kernel.errors import Failed, Invalid, TooLarge
from aimass.kernel.unpacking import UNREADABLE, read_packed
from aimass.models import Candidate, Column, Output, Rows, Signature, build_package
from aimass.training.children.imageweights import CONFIG, SCALE, TENSORS, residual_from
from aimass.training.children.tensorfiles import tensors_of
from aimass.training.recipes.deep.encodergraph import graph_of
from aimass.training.recipes.deep.pieces import INSIDE, LONGEST_WORD, MASK, PAD, SPECIAL, UNKNOWN, Pieces, Rules
from aimass.training.recipes.deep.reference import vectors_of
from aimass.training.recipes.deep.residual import Residual, shares_of
from aimass.training.recipes.deep.residual import graph_of as residual_graph
from aimass.training.recipes.deep.textnet import Shape, TextNet, need_weights, sizes_of

TOKENIZER = "tokenizer.json"
FILES = (CONFIG, TOKENIZER, TENSORS)
PICTURE_FILES = (CONFIG, SCALE, TENSORS)
TEXT, VECTOR, IMAGE = "text", "embedding", "image"
_PICTURES = 3
_MOST_JSON = 64 * 2**20
_MOST = 2**31 - 2**27  # a graph is one message, and those end at two gigabytes
_LINK, _KIND = 0o120000, 0o170000
_SAID = (
    "", "The parcel came late again.", "I love this phone, its battery lasts two days!", "Wörter, größer als 3.5 %?",
    "手机很好，电池也很大。", "unbelievable " * 40,
)  # fmt: skip
_BERT = {
    "query": "attention.self.query", "key": "attention.self.key", "value": "attention.self.value",
    "joined": "attention.output.dense", "after": "attention.output.LayerNorm", "inner": "intermediate.dense",
    "outer": "output.dense", "last": "output.LayerNorm",
}  # fmt: skip
_DISTILBERT = {
    "query": "attention.q_lin", "key": "attention.k_lin", "value": "attention.v_lin", "joined": "attention.out_lin",
    "after": "sa_layer_norm", "inner": "ffn.lin1", "outer": "ffn.lin2", "last": "output_layer_norm",
}  # fmt: skip
_KINDS = {"bert": ("encoder.layer", _BERT), "distilbert": ("transformer.layer", _DISTILBERT)}
_SIZES = {
    "bert": ("hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers"),
    "distilbert": ("dim", "hidden_dim", "n_heads", "n_layers"),
}


def import_weights(ctx: Any) -> dict[str, Any]:
    """Write the package of imported weights; the payload has the ``file``, a ZIP of their files."""
    ctx.report(0.1, stage="read")
    net = read_archive(Path(ctx.params["file"]))
    ctx.report(0.4, stage="package")
    candidate, rows, told = _of_texts(net) if isinstance(net, TextNet) else _of_pictures(net)
    package, parity = build_package(ctx.out / "package", candidate, rows)
    ctx.log(f"package {package.digest[:12]}: {parity.sentence()}")
    ctx.report(1.0, stage="done")
    return {"digest": package.digest, "size": package.size, **told}


def _of_texts(net: TextNet) -> tuple[Candidate, Rows, dict[str, Any]]:
    texts = list(_SAID)
    signature = signature_of(net)
    rows = Rows(columns={TEXT: texts}, expected=vectors_of(net, texts))
    candidate = Candidate(signature=signature, to_onnx=lambda: graph_of(net, signature), to_python=_no_python)
    return candidate, rows, {"layers": net.shape.layers, "width": net.shape.width}


def _of_pictures(net: Residual) -> tuple[Candidate, Rows, dict[str, Any]]:
    signature = Signature(
        inputs=(Column(name=IMAGE, type="float", shape=(-1, net.numbers)),),
        outputs=(
            Output(name="label", type="string", shape=(-1,)),
            Output(name="probabilities", type="float", shape=(-1, len(net.classes)), classes=net.classes),
        ),
    )
    pictures = np.random.default_rng(0).integers(0, 256, (_PICTURES, net.numbers)).astype(float)
    pictures[1:] = np.round(pictures[1:].mean(axis=1, keepdims=True) + pictures[1:] / 8)  # flatter ones
    rows = Rows(columns={IMAGE: pictures.tolist()}, expected=shares_of(net, pictures))
    candidate = Candidate(signature=signature, to_onnx=lambda: residual_graph(net, signature), to_python=_no_python)
    told = {"blocks": len(net.blocks), "height": net.height, "width": net.width, "classes": len(net.classes)}
    return candidate, rows, told


def signature_of(net: TextNet) -> Signature:
    """Return what the model takes and answers."""
    return Signature(
        inputs=(Column(name=TEXT, type="string", nullable=True),),
        outputs=(Output(name=VECTOR, type="float", shape=(-1, net.shape.width)),),
    )


def read_archive(path: Path) -> TextNet | Residual:
    """Read a net out of an uploaded archive, or say what is wrong with it: of texts with a tokenizer, of pictures without."""
    try:
        with ZipFile(path) as archive:
            names = _check(archive)
            told = {name: _json(archive, name) for name in (CONFIG, TOKENIZER, SCALE) if name in names}
            if TOKENIZER not in told and told.get(CONFIG, {}).get("model_type") in _KINDS:
                raise _missing(TOKENIZER, names)
            tensors = tensors_of(_bytes(archive, TENSORS))
    except UNREADABLE as reason:
        raise Invalid(f"the upload is no readable ZIP file: {reason}", field="body", hint="send it again") from reason
    if TOKENIZER in told:
        return net_from(told[CONFIG], told[TOKENIZER], tensors)
    return residual_from(told.get(CONFIG), told.get(SCALE), tensors)


def _check(archive: ZipFile) -> list[str]:
    """Refuse everything but the files of weights: no links, no folders, no other weights, no programs; return their names."""
    names = [one.filename for one in archive.infolist()]
    files = FILES if TOKENIZER in names else PICTURE_FILES
    for one in archive.infolist():
        is_link = (one.external_attr >> 16) & _KIND == _LINK
        if one.filename not in files or is_link or names.count(one.filename) > 1:
            raise Invalid(
                f"file {one.filename[:200]!r} may not be in an import of weights",
                field="files",
                value=one.filename[:200],
                allowed=list(files),
                hint="pickled weights and programs are never read; weights of another form are converted to safetensors "
                "where they were made",
            )
        most = _MOST if one.filename == TENSORS else _MOST_JSON
        if one.file_size > most:
            raise TooLarge(f"{one.filename!r} has {one.file_size} bytes", value=one.file_size, allowed=most)
    missing = [name for name in (FILES if TOKENIZER in names else (TENSORS,)) if name not in names]
    if missing:
        raise _missing(missing[0], names)
    return names


def _missing(name: str, names: list[str]) -> Invalid:
    return Invalid(f"there is no {name} in the upload", field="files", value=names, allowed=list(FILES))


def _bytes(archive: ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        return read_packed(file, _MOST)


def _json(archive: ZipFile, name: str) -> Mapping[str, Any]:
    try:
        found = json.loads(_bytes(archive, name))
    except (ValueError, RecursionError) as reason:
        raise Invalid(f"{name} is no JSON: {str(reason)[:200]}", field=name) from None
    if not isinstance(found, dict):
        raise Invalid(f"{name} is no object", field=name)
    return found


def net_from(config: Mapping[str, Any], tokenizer: Mapping[str, Any], tensors: Mapping[str, Any]) -> TextNet:
    """Return the net that the three files describe."""
    kind = _said(config, "model_type", tuple(_KINDS))
    _said(config, "activation" if kind == "distilbert" else "hidden_act", ("gelu",))
    _said(config, "position_embedding_type", ("absolute",), absent="absolute")
    if "auto_map" in config:
        raise Invalid("the weights want a program of their own", field=f"{CONFIG}: auto_map", hint="it is never run")
    pieces = pieces_of(tokenizer)
    width, inner, heads, layers = (_size(config, name) for name in _SIZES[kind])
    longest = _size(config, "max_position_embeddings")
    tiny = config.get("layer_norm_eps", 1e-12)
    if width % heads or not isinstance(tiny, float) or not 0 < tiny < 1:
        raise Invalid("the sizes do not fit together", field=CONFIG, value={"width": width, "heads": heads})
    shape = Shape(
        pieces=len(pieces.names), longest=longest, width=width, inner=inner, heads=heads, layers=layers, tiny=tiny
    )
    weights = _named(kind, shape, tensors)
    need_weights(weights, shape)
    return TextNet(pieces=pieces, shape=shape, most=longest, pooling="mean", weights=weights)


def _said(told: Mapping[str, Any], name: str, allowed: tuple[str, ...], absent: str | None = None) -> str:
    found = told.get(name, absent)
    if found not in allowed:
        raise Invalid(
            f"{CONFIG} has the {name} {found!r}",
            field=f"{CONFIG}: {name}",
            value=found,
            allowed=list(allowed),
            hint="nets of the form of BERT and DistilBERT can be read",
        )
    return str(found)


def _size(config: Mapping[str, Any], name: str) -> int:
    found = config.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found <= 65_536:  # noqa: PLR2004 far beyond all
        raise Invalid(
            f"{CONFIG} has the {name} {found!r}", field=f"{CONFIG}: {name}", value=found, allowed="1 to 65536"
        )
    return found


def _named(kind: str, shape: Shape, tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Return the weights by our names; what every piece has in common goes into its position."""
    folder, parts = _KINDS[kind]
    given = {name.removeprefix(f"{kind}."): value for name, value in tensors.items()}
    given = {name.replace(".gamma", ".weight").replace(".beta", ".bias"): value for name, value in given.items()}
    known = {"words": "embeddings.word_embeddings", "positions": "embeddings.position_embeddings"}
    known["norm"] = "embeddings.LayerNorm"
    for number in range(shape.layers):
        known |= {f"layers.{number}.{part}": f"{folder}.{number}.{name}" for part, name in parts.items()}
    found: dict[str, Any] = {}
    for name in sizes_of(shape):
        part, _, end = name.rpartition(".")
        theirs = f"{known[part]}.{end}"
        if theirs in given:
            found[name] = np.asarray(given[theirs], dtype=np.float32)
    types = given.get("embeddings.token_type_embeddings.weight")
    if types is not None and "positions.weight" in found and np.ndim(types) == found["positions.weight"].ndim:
        found["positions.weight"] = found["positions.weight"] + np.asarray(types, dtype=np.float32)[:1]
    if "words.weight" in found:
        found["words.weight"] = found["words.weight"][: shape.pieces]  # there may be room for more
    odd = [name for name, value in found.items() if not np.isfinite(value).all()]
    if odd:
        raise Invalid(f"weight {odd[0]!r} has numbers that are not finite", field=TENSORS, value=odd[0])
    return found


def pieces_of(tokenizer: Mapping[str, Any]) -> Pieces:
    """Return the pieces of a tokenizer of BERT, or say in what it is another one."""
    model, normalizer = (_part(tokenizer, name) for name in ("model", "normalizer"))
    wanted = (
        ("model", model, {"type": "WordPiece", "unk_token": UNKNOWN, "continuing_subword_prefix": INSIDE,
                          "max_input_chars_per_word": LONGEST_WORD}),
        ("normalizer", normalizer, {"type": "BertNormalizer", "clean_text": True}),
        ("pre_tokenizer", _part(tokenizer, "pre_tokenizer"), {"type": "BertPreTokenizer"}),
    )  # fmt: skip
    for name, part, fixed in wanted:
        for key, value in fixed.items():
            if part.get(key) != value:
                raise Invalid(
                    f"{TOKENIZER} has the {key} {part.get(key)!r}",
                    field=f"{TOKENIZER}: {name}.{key}",
                    value=part.get(key),
                    allowed=value,
                    hint="tokenizers of the form of BERT (WordPiece) can be read",
                )
    vocabulary = model.get("vocab")
    if not isinstance(vocabulary, dict) or not _are_numbered(list(vocabulary.values())):
        raise Invalid("the pieces are not numbered one by one", field=f"{TOKENIZER}: model.vocab")
    missing = [name for name in SPECIAL if name not in vocabulary and name != MASK]
    if missing or vocabulary[PAD] != 0:
        raise Invalid(f"piece {(missing or [PAD])[0]!r} is not where it belongs", field=f"{TOKENIZER}: model.vocab")
    told = tokenizer.get("added_tokens") or []
    added = [one.get("content") if isinstance(one, dict) else one for one in told] if isinstance(told, list) else [told]
    added = [one for one in added if one not in SPECIAL]
    if added:
        raise Invalid(f"piece {added[0]!r} was added", field=f"{TOKENIZER}: added_tokens", allowed=list(SPECIAL))
    folds = bool(normalizer.get("lowercase"))
    strips = normalizer.get("strip_accents")
    rules = Rules(
        folds=folds,
        strips=folds if strips is None else bool(strips),
        signs=bool(normalizer.get("handle_chinese_chars")),
    )
    return Pieces(names=tuple(sorted(vocabulary, key=vocabulary.__getitem__)), rules=rules)


def _are_numbered(numbers: list[Any]) -> bool:
    """Tell whether there is each number from 0 on, once."""
    return all(type(one) is int for one in numbers) and sorted(numbers) == list(range(len(numbers)))


def _part(tokenizer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = tokenizer.get(name)
    if not isinstance(found, dict):
        raise Invalid(f"{TOKENIZER} has no {name}", field=f"{TOKENIZER}: {name}")
    return found


def _no_python() -> bytes:
    raise Failed("imported weights are written as ONNX alone, and the exported file answers differently")
