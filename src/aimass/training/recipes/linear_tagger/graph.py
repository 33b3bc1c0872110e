"""The graph of a tagger: from a text to its entities, row by row, in time and memory linear in the text.

Per row: the text is cut into pieces by one pattern and into characters, of which follow where pieces begin and what shape they
have; words are looked up; one walk ahead and one back along the chain give the best path and how likely each tag is;
what the tags mean is written down as JSON.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from onnx import checker, helper

from aimass.models import Signature
from aimass.training.cutting import pieces_pattern, run_pattern
from aimass.training.measures.spans import ENTITIES
from aimass.training.recipes.linear_tagger.chain import FORBIDDEN, Chain
from aimass.training.recipes.linear_tagger.nodes import BROUGHT, LEARNING, SHARE, TEXT, TRUTH, WHOLE, Nodes, port
from aimass.training.recipes.linear_tagger.reading import DIGIT, END, LOWER, UPPER, Eye, Look, class_of
from aimass.training.recipes.linear_tagger.writing import write

_OPSETS = {"": 21, LEARNING: 3, BROUGHT: 1}
_IR = 10


def graph_of(eye: Eye, chain: Chain, tags: Sequence[str], signature: Signature) -> bytes:
    """Return the graph, whose input and output have the names of the signature."""
    nodes, given = Nodes(), signature.inputs[0].name
    texts = nodes.flat(given)
    rows = nodes.add("Squeeze", nodes.size(texts))
    at, going = nodes.name(), nodes.name()
    inside = Nodes(nodes)
    said = _row(inside, inside.add("Reshape", inside.add("Gather", texts, at), inside.whole(1)), (eye, chain, tags))
    on = inside.add("Identity", going)
    body = helper.make_graph(
        inside.nodes, "row", [port(at, WHOLE, []), port(going, TRUTH, [])], [port(on, TRUTH, []), port(said, TEXT, [])]
    )
    found = nodes.add("Loop", rows, "", body=body)
    nodes.nodes.append(helper.make_node("Identity", [found], [ENTITIES]))
    graph = helper.make_graph(
        nodes.nodes,
        "aimass",
        [port(given, TEXT, [None, 1])],
        [port(ENTITIES, TEXT, [None])],
        initializer=nodes.constants,
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=_IR)
    checker.check_model(made)
    return made.SerializeToString()


def _row(nodes: Nodes, text: str, model: tuple[Eye, Chain, Sequence[str]]) -> str:
    """Add what one text goes through; return the name of its entities."""
    eye, chain, tags = model
    pieces = nodes.add("Concat", nodes.flat(nodes.split(text, pieces_pattern())), nodes.text(END), axis=0)
    starts, shapes = _shaped(nodes, text)
    is_word = nodes.numbers_of(nodes.cut(pieces, 0, -1), _spaces(), 1)
    is_word = nodes.add("Concat", is_word, nodes.whole(1), axis=0)
    places = nodes.flat(nodes.add("NonZero", is_word))
    words, shape = nodes.add("Gather", pieces, places), nodes.add("Gather", shapes, places)
    scores = _scores(nodes, eye, chain, [_number(nodes, look, words, shape) for look in eye.looks])
    path, likely = _walked(nodes, scores, chain.steps)
    return write(nodes, (pieces, starts, is_word), (path, likely), tags)


def _shaped(nodes: Nodes, text: str) -> tuple[str, str]:
    """Return where each piece begins, the end of the text counted as one, and its shape."""
    signs = nodes.add("Concat", nodes.flat(nodes.split(text, "(?s:.)")), nodes.text(END), axis=0)
    is_run = nodes.add("RegexFullMatch", signs, pattern=run_pattern())
    before = nodes.add("Concat", nodes.constant(np.array([False])), nodes.cut(is_run, 0, -1), axis=0)
    is_first = nodes.add("Not", nodes.add("And", is_run, before))
    starts = nodes.flat(nodes.add("NonZero", is_first))
    owner = nodes.add(
        "Sub", nodes.add("CumSum", nodes.cast(is_first, WHOLE), nodes.constant(np.int64(0))), nodes.whole(1)
    )
    kinds = nodes.numbers_of(signs, _classes(), 0)
    nothing = nodes.add("Sub", starts, starts)
    shape = nodes.add("Mul", nodes.add("Gather", kinds, starts), nodes.whole(8))
    for kind, worth in ((UPPER, 4), (LOWER, 2), (DIGIT, 1)):
        is_kind = nodes.add("And", nodes.add("Equal", kinds, nodes.whole(kind)), nodes.add("Not", is_first))
        has = nodes.add("ScatterElements", nothing, owner, nodes.cast(is_kind, WHOLE), axis=0, reduction="max")
        shape = nodes.add("Add", shape, nodes.add("Mul", has, nodes.whole(worth)))
    return starts, shape


def _number(nodes: Nodes, look: Look, words: str, shape: str) -> str:
    """Return the number of each word for one look."""
    if look.take == "shape":
        return shape
    if look.letters:
        pattern = f"^(?s:.{{1,{look.letters}}})" if look.take == "begin" else f"(?s:.{{1,{look.letters}}})$"
        words = nodes.flat(nodes.split(words, pattern))
    return nodes.numbers_of(words, look.table, 0)


def _scores(nodes: Nodes, eye: Eye, chain: Chain, numbers: Sequence[str]) -> str:
    """Return the score of each tag for each word: one look-up for each word that is looked at."""
    found: list[str] = []
    begin, outside = 0, eye.width - len(eye.offsets)
    for place, offset in enumerate(eye.offsets):
        looks = [(look, number) for look, number in zip(eye.looks, numbers, strict=True) if offset == 0 or look.is_near]
        first, bases = begin, []
        columns = []
        for look, number in looks:
            bases.append(begin - first)
            columns.append(nodes.add("Unsqueeze", number, nodes.whole(1)))
            begin += eye.size_of(look)
        table = nodes.constant(chain.weights[first:begin].astype(np.float32))
        at = nodes.add("Add", nodes.add("Concat", *columns, axis=1), nodes.constant(np.array([bases], dtype=np.int64)))
        mine = nodes.add("ReduceSum", nodes.add("Gather", table, at), nodes.whole(1), keepdims=0)
        edge = np.tile(chain.weights[outside + place].astype(np.float32), (abs(offset), 1))
        found.append(_moved(nodes, mine, offset, edge))
    return nodes.add("Sum", *found)


def _moved(nodes: Nodes, table: str, offset: int, edge: Any) -> str:
    """Return the rows of a table as those see them that stand ``offset`` before them, with the edge where there are none."""
    if offset == 0:
        return table
    rows, outside = nodes.size(table), nodes.constant(edge)
    if offset < 0:
        return nodes.cut(nodes.add("Concat", outside, table, axis=0), 0, rows)
    return nodes.cut(nodes.add("Concat", table, outside, axis=0), offset, nodes.add("Add", rows, nodes.whole(offset)))


def _walked(nodes: Nodes, scores: str, steps: Any) -> tuple[str, str]:
    """Return the tag of each word on the best path, and how likely it is."""
    tags = len(steps)
    matrix = nodes.constant(steps.astype(np.float32))
    edge = nodes.constant(np.array([0.0] + [FORBIDDEN] * (tags - 1), dtype=np.float32))
    ahead, back = nodes.several("Scan", 4, edge, edge, scores, num_scan_inputs=1, body=_forward(nodes, matrix, tags))[
        2:
    ]
    end = {"scan_input_directions": [1, 1], "scan_output_directions": [1, 1]}
    body = _backward(nodes, matrix, tags)
    last = nodes.constant(np.int64(0))
    behind, path = nodes.several("Scan", 4, edge, last, scores, back, num_scan_inputs=2, body=body, **end)[2:]
    likely = nodes.add("Softmax", nodes.add("Add", ahead, behind), axis=1)
    return path, nodes.flat(nodes.add("GatherElements", likely, nodes.add("Unsqueeze", path, nodes.whole(1)), axis=1))


def _forward(outer: Nodes, matrix: str, tags: int) -> Any:
    """Return the walk ahead: sums over paths, and the best one with the tag that it came from."""
    nodes = Nodes(outer)
    names = sums, best, score = [nodes.name() for _ in range(3)]
    ways = nodes.add("Add", nodes.add("Unsqueeze", sums, nodes.whole(1)), matrix)
    more = _level(nodes, nodes.add("Add", score, nodes.add("ReduceLogSumExp", ways, nodes.whole(0), keepdims=0)))
    ways = nodes.add("Add", nodes.add("Unsqueeze", best, nodes.whole(1)), matrix)
    best = _level(nodes, nodes.add("Add", score, nodes.add("ReduceMax", ways, nodes.whole(0), keepdims=0)))
    came = nodes.add("ArgMax", ways, axis=0, keepdims=0)
    said = nodes.add("Identity", more)
    shares = [port(name, SHARE, [tags]) for name in (more, best, said)]
    return helper.make_graph(
        nodes.nodes, "ahead", [port(name, SHARE, [tags]) for name in names], [*shares, port(came, WHOLE, [tags])]
    )


def _backward(outer: Nodes, matrix: str, tags: int) -> Any:
    """Return the walk back: sums over paths, and the tag of each word on the best one."""
    nodes = Nodes(outer)
    sums, tag, score, came = (nodes.name() for _ in range(4))
    behind = nodes.add("Unsqueeze", nodes.add("Add", score, sums), nodes.whole(0))
    ways = nodes.add("Add", matrix, behind)
    more = _level(nodes, nodes.add("ReduceLogSumExp", ways, nodes.whole(1), keepdims=0))
    before = nodes.add("Gather", came, tag)
    said, path = nodes.add("Identity", sums), nodes.add("Identity", tag)
    inputs = [port(sums, SHARE, [tags]), port(tag, WHOLE, []), port(score, SHARE, [tags]), port(came, WHOLE, [tags])]
    outputs = [port(more, SHARE, [tags]), port(before, WHOLE, []), port(said, SHARE, [tags]), port(path, WHOLE, [])]
    return helper.make_graph(nodes.nodes, "back", inputs, outputs)


def _level(nodes: Nodes, scores: str) -> str:
    """Count scores from the largest: what grows with the text would lose its small differences."""
    return nodes.add("Sub", scores, nodes.add("ReduceMax", scores, nodes.whole(0), keepdims=1))


@cache
def _classes() -> dict[str, int]:
    """Return the class of each character that has one."""
    return {sign: kind for sign in _signs() if (kind := class_of(sign))}


@cache
def _spaces() -> dict[str, int]:
    return dict.fromkeys((sign for sign in _signs() if sign.isspace()), 0)


def _signs() -> list[str]:
    surrogates = range(0xD800, 0xE000)
    return [chr(code) for code in range(sys.maxunicode + 1) if code not in surrogates]
