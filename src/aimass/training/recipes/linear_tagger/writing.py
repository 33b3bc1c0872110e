"""Write down in a graph what the tags of words mean: a JSON list of entities, joined in a tree, so that time stays linear."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from onnx import helper

from aimass.training.recipes.linear_tagger.nodes import LEARNING, TEXT, TRUTH, WHOLE, Nodes, port

THOUSAND = 1000


def write(nodes: Nodes, found: tuple[str, str, str], walked: tuple[str, str], tags: Sequence[str]) -> str:
    """Add what writes the entities of a text; return the name of the text that has them.

    Parameters
    ----------
    found
        The pieces, where each begins, and which of them are words; the last is the end of the text.
    walked
        The tag of each word and how likely it is.
    """
    pieces, starts, is_word = found
    path, likely = walked
    firsts = nodes.constant(np.array([tag[0] == "B" for tag in tags]))
    further = nodes.constant(np.array([tag[0] == "I" for tag in tags]))
    is_first, is_further = nodes.add("Gather", firsts, path), nodes.add("Gather", further, path)
    goes_on = nodes.add("Concat", nodes.cut(is_further, 1, 2**31), _no(nodes), axis=0)
    is_last = nodes.add("And", nodes.add("Or", is_first, is_further), nodes.add("Not", goes_on))
    opened = _opened(nodes, path, is_first, tags)
    closed = _closed(nodes, starts, is_word, (is_first, is_last, likely))
    inside = nodes.add("Concat", nodes.add("Or", is_first, is_further), _no(nodes), axis=0)
    ordinal = nodes.add("Sub", nodes.add("CumSum", is_word, nodes.constant(np.int64(0))), nodes.whole(1))
    word = nodes.cast(is_word, TRUTH)
    before = nodes.add("Concat", is_further, _no(nodes), axis=0)
    between = nodes.add("Gather", before, nodes.add("Add", ordinal, nodes.whole(1)))
    of_word = nodes.add("And", word, nodes.add("Gather", inside, ordinal))
    shown = nodes.add("Or", of_word, nodes.add("And", nodes.add("Not", word), between))
    parts = [
        nodes.add("Where", word, nodes.add("Gather", _padded(nodes, one), ordinal), nodes.text(""))
        for one in (opened, closed)
    ]
    body = nodes.add("StringConcat", nodes.add("StringConcat", parts[0], _escaped(nodes, pieces)), parts[1])
    texts = nodes.add("Compress", body, shown, axis=0)
    joined = _joined(nodes, nodes.add("Concat", nodes.text("["), texts, nodes.text("]"), axis=0))
    return nodes.add("Squeeze", joined)


def _no(nodes: Nodes) -> str:
    return nodes.constant(np.array([False]))


def _padded(nodes: Nodes, texts: str) -> str:
    """Return texts with an empty one behind them, which place -1 finds."""
    return nodes.add("Concat", texts, nodes.text(""), axis=0)


def _opened(nodes: Nodes, path: str, is_first: str, tags: Sequence[str]) -> str:
    """Return what stands before each word: the beginning of an entity, with a comma unless it is the first."""
    begins = [f'{{"type":{json.dumps(tag[2:], ensure_ascii=False)},"text":"' if tag[0] == "B" else "" for tag in tags]
    count = nodes.add("CumSum", nodes.cast(is_first, WHOLE), nodes.constant(np.int64(0)))
    is_later = nodes.add("And", is_first, nodes.add("Greater", count, nodes.whole(1)))
    comma = nodes.add("Where", is_later, nodes.text(","), nodes.text(""))
    return nodes.add("StringConcat", comma, nodes.add("Gather", nodes.text(*begins), path))


def _closed(nodes: Nodes, starts: str, is_word: str, told: tuple[str, str, str]) -> str:
    """Return what stands behind each word: the end of an entity, with its places and the least likely of its words."""
    is_first, is_last, likely = told
    after = nodes.add("Concat", nodes.cut(starts, 1, 2**31), nodes.cut(starts, -1, 2**31), axis=0)
    places = nodes.flat(nodes.add("NonZero", is_word))
    begins, ends = nodes.add("Gather", starts, places), nodes.add("Gather", after, places)
    owner = nodes.add("CumSum", nodes.cast(is_first, WHOLE), nodes.constant(np.int64(0)))  # 0: before the first entity
    first = nodes.add("Concat", nodes.whole(0), nodes.add("Compress", begins, is_first, axis=0), axis=0)
    start = nodes.add("Gather", first, owner)
    inside = nodes.add("Where", _inside(nodes, owner, told), likely, nodes.constant(np.float32(1.0)))
    ones = nodes.add("Add", nodes.cast(nodes.add("Mul", first, nodes.whole(0)), 1), nodes.constant(np.float32(1.0)))
    least = nodes.add("ScatterElements", ones, owner, inside, axis=0, reduction="min")
    thousandth = nodes.add(
        "Round", nodes.add("Mul", nodes.add("Gather", least, owner), nodes.constant(np.float32(THOUSAND)))
    )
    scores = nodes.text(*(json.dumps(number / THOUSAND) for number in range(THOUSAND + 1)))
    score = nodes.add("Gather", scores, nodes.cast(thousandth, WHOLE))
    said = nodes.text('","start":')
    for part in (
        nodes.cast(start, TEXT),
        nodes.text(',"end":'),
        nodes.cast(ends, TEXT),
        nodes.text(',"score":'),
        score,
        nodes.text("}"),
    ):
        said = nodes.add("StringConcat", said, part)
    return nodes.add("Where", is_last, said, nodes.text(""))


def _inside(nodes: Nodes, owner: str, told: tuple[str, str, str]) -> str:
    """Return which words are of an entity: those that no last word of their entity stands before."""
    _, is_last, _ = told
    lasts = nodes.add("CumSum", nodes.cast(is_last, WHOLE), nodes.constant(np.int64(0)), exclusive=1)
    return nodes.add("Greater", owner, lasts)


def _escaped(nodes: Nodes, pieces: str) -> str:
    """Return pieces as JSON writes them; each character that it does not take as it is stands alone."""
    known = {sign: json.dumps(sign)[1:-1] for sign in ('"', "\\", *map(chr, range(0x20)))}
    keys = {"keys_strings": list(known), "values_strings": list(known.values())}
    written = nodes.add("LabelEncoder", pieces, **keys, default_string="", domain=LEARNING)
    is_odd = nodes.cast(nodes.numbers_of(pieces, dict.fromkeys(known, 1), 0), TRUTH)
    return nodes.add("Where", is_odd, written, pieces)


def _joined(outer: Nodes, texts: str) -> str:
    """Join texts: neighbours in pairs, until one is left."""
    nodes = Nodes(outer)
    at, going, now = nodes.name(), nodes.name(), nodes.name()
    more = nodes.add("Concat", now, nodes.text(""), axis=0)
    right = nodes.cut(more, 1, 2**31, 2)
    left = nodes.cut(nodes.cut(more, 0, 2**31, 2), 0, nodes.size(right))
    pairs = nodes.add("StringConcat", left, right)
    on = nodes.add("Squeeze", nodes.add("Greater", nodes.size(pairs), nodes.whole(1)))
    body = helper.make_graph(
        nodes.nodes,
        "join",
        [port(at, WHOLE, []), port(going, TRUTH, []), port(now, TEXT, [None])],
        [port(on, TRUTH, []), port(pairs, TEXT, [None])],
    )
    return outer.add("Loop", "", outer.constant(np.array(True)), texts, body=body)
