"""The cutting of a text into pieces as a graph: standard operators, and the one that cuts a text into its characters.

All places of a text are looked at side by side. From each, characters lead through a tree of all pieces, as long as one fits
on; the longest piece that was met is noted. Which of these pieces follow on each other from the beginning of a word is
then found by going twice as far with every step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, log2
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from aimass.training.recipes.deep.pieces import (
    FIRST,
    LAST,
    LONGEST_WORD,
    SPACE,
    STRANGE,
    STRANGE_SIGN,
    UNKNOWN,
    Pieces,
    ranges_of,
    read_as,
    stands_alone,
)
from aimass.training.recipes.graphparts import Parts

CUTTING = "com.microsoft"
_LEARNING = "ai.onnx.ml"
_NONE = -1
_DOUBLINGS = ceil(log2(LONGEST_WORD)) + 1


def add_pieces(parts: Parts, text: str, pieces: Pieces, most: int) -> str:
    """Add what turns a text, a tensor of one string, into the numbers of its pieces; return the name of these."""
    codes = _codes(parts, text, pieces)
    cut = _Cut(parts, pieces)
    cut.look_at(codes)
    best, length = cut.longest_pieces()
    numbers = cut.followed(best, length)
    ends = parts.tensor("most", np.array([most - 2]))
    short = parts.node("Slice", [numbers, cut.zero, ends], "short")
    first = parts.tensor("first", np.array([pieces.number(FIRST)]))
    last = parts.tensor("last", np.array([pieces.number(LAST)]))
    return parts.node("Concat", [first, short, last], "numbers", axis=0)


def _codes(parts: Parts, text: str, pieces: Pieces) -> str:
    """Add what turns a text into codes of characters, as they are read."""
    gone, alone = (_class(ranges) for ranges in ranges_of(pieces.rules))
    settings = {"mark": 0, "pad_value": "", "mincharnum": 1, "tokenexp": f"[^{gone}]", "domain": CUTTING}
    characters = parts.node("Tokenizer", [text], "characters", **settings)
    rows = _read(pieces)
    keys, read = list(rows), np.full((len(rows) + 2, max(map(len, rows.values()))), _NONE, dtype=np.int64)
    read[0, 0], read[1, 0] = STRANGE, STRANGE_SIGN
    for place, row in enumerate(rows.values(), start=2):
        read[place, : len(row)] = row
    table = {"keys_strings": keys, "values_int64s": list(range(2, len(keys) + 2)), "default_int64": 0}
    known = parts.node("LabelEncoder", [characters], "known", domain=_LEARNING, **table)
    is_sign = parts.node("RegexFullMatch", [characters], "is_sign", pattern=f"[{alone}]")
    sign = parts.node("Cast", [is_sign], "sign", to=TensorProto.INT64)
    places = parts.node("Max", [known, sign], "places")  # 0 for a letter, 1 for a sign, of which nothing is known
    wide = parts.node("Gather", [parts.tensor("read", read), places], "read_as", axis=0)
    flat = parts.node("Reshape", [wide, parts.tensor("all", np.array([-1]))], "read_flat")
    is_there = parts.node("GreaterOrEqual", [flat, parts.tensor("least", np.int64(0))], "is_there")
    return parts.node("Compress", [flat, is_there], "codes", axis=0)


def _class(ranges: Sequence[tuple[int, int]]) -> str:
    return "".join(rf"\x{{{first:x}}}-\x{{{last:x}}}" for first, last in ranges)


def _read(pieces: Pieces) -> dict[str, list[int]]:
    """Return what each character is read as, but for those of which no piece knows anything."""
    codes, rules = pieces.codes, pieces.rules
    found = {one: [code] for one, code in codes.items()}
    for character, said in read_as(rules).items():
        row = [_code(one, codes, pieces) for one in said]
        if set(row) & {STRANGE, STRANGE_SIGN} == set(row) and len(row) == 1:
            found.pop(character, None)  # a capital letter that is read as a small one, of which no piece is made
        else:
            found[character] = row
    return found


def _code(one: str, codes: Mapping[str, int], pieces: Pieces) -> int:
    if one == " ":
        return SPACE
    return codes.get(one, STRANGE_SIGN if stands_alone(one, pieces.rules) else STRANGE)


class _Cut:
    """The nodes that cut."""

    def __init__(self, parts: Parts, pieces: Pieces) -> None:
        self.parts = parts
        self.pieces = pieces
        self.zero = parts.tensor("zero", np.array([0]))
        self.one = parts.tensor("one", np.array([1]))
        self.none = parts.tensor("none", np.array([_NONE]))

    def look_at(self, codes: str) -> None:
        """Add where words begin, and how many characters there are."""
        node = self.parts.node
        self.codes, self.count = codes, node("Shape", [codes], "count")
        alone = np.zeros(STRANGE_SIGN + 1 + len(self.pieces.codes), dtype=bool)
        alone[STRANGE_SIGN] = True
        for one, code in self.pieces.codes.items():
            alone[code] = stands_alone(one, self.pieces.rules)
        space = self.parts.tensor("space", np.array([SPACE]))
        is_alone = node("Gather", [self.parts.tensor("alone", alone), codes], "is_alone")
        is_space = node("Equal", [codes, space], "is_space")
        self.is_inside = node("Not", [is_space], "is_inside")
        ends = node("Or", [is_space, is_alone], "ends")
        shifted = node("Concat", [self.parts.tensor("true", np.array([True])), ends], "shifted", axis=0)
        before = node("Slice", [shifted, self.zero, self.count], "before")
        begins = node("Or", [before, is_alone], "begins")
        self.starts = node("And", [begins, self.is_inside], "starts")

    def longest_pieces(self) -> tuple[str, str]:
        """Add the loop that finds the longest piece from each place on: its number, -1 where there is none, and its length."""
        parts, (steps, numbers) = self.parts, _tree(self.pieces)
        width = STRANGE_SIGN + 1 + len(self.pieces.codes)
        longest = self.pieces.longest
        fill = parts.tensor("fill", np.full(longest, SPACE))
        parts.node("Concat", [self.codes, fill], "codes_padded", axis=0)
        fill = parts.tensor("fill_starts", np.full(longest, fill_value=True))
        parts.node("Concat", [self.starts, fill], "starts_padded", axis=0)
        nodes = parts.node("Where", [self.starts, self.zero, self.one], "roots")
        nothing = parts.node("Expand", [self.none, self.count], "no_piece")
        zeros = parts.node("Expand", [self.zero, self.count], "no_length")
        body = self._step(steps, numbers, width)
        trips = parts.tensor("trips", np.int64(longest))
        outputs = parts.split("Loop", [trips, "", nodes, nothing, zeros], ["_nodes", "best", "length"], body=body)
        return outputs[1], outputs[2]

    def _step(self, steps: Mapping[int, int], numbers: Any, width: int) -> Any:
        """Return one step from every place: a character further in the tree, and the piece that ends there."""
        mark = f"{self.parts.mark}step/"
        body, outer = Parts(mark), self.parts.mark
        at = body.node("Reshape", [f"{mark}at", body.tensor("one", np.array([1]))], "from")
        until = body.node("Add", [at, self.count], "until")
        codes = body.node("Slice", [f"{outer}codes_padded", at, until], "codes")
        starts = body.node("Slice", [f"{outer}starts_padded", at, until], "starts")
        is_first = body.node("Equal", [at, body.tensor("zero", np.array([0]))], "is_first")
        goes_on = body.node("Or", [is_first, body.node("Not", [starts], "same_word")], "goes_on")
        row = body.node("Mul", [f"{mark}nodes", body.tensor("width", np.array([width]))], "row")
        key = body.node("Add", [row, codes], "key")
        table = {"keys_int64s": list(steps), "values_int64s": list(steps.values()), "default_int64": _NONE}
        found = body.node("LabelEncoder", [key], "found", domain=_LEARNING, **table)
        none = body.tensor("none", np.array([_NONE]))
        dead = body.tensor("dead", np.array([-width - 1]))  # from here no key is known
        node = body.node("Where", [goes_on, found, none], "reached")
        is_alive = body.node("GreaterOrEqual", [node, body.tensor("alive", np.array([0]))], "is_alive")
        piece = body.node("Gather", [body.tensor("numbers", numbers), node], "piece")  # the last one is that of -1
        is_piece = body.node("GreaterOrEqual", [piece, body.tensor("least", np.array([0]))], "is_piece")
        best = body.node("Where", [is_piece, piece, f"{mark}best"], "best_now")
        size = body.node("Add", [at, body.tensor("next", np.array([1]))], "size")
        length = body.node("Where", [is_piece, size, f"{mark}length"], "length_now")
        after = body.node("Where", [is_alive, node, dead], "node_now")
        alive = body.node("Cast", [is_alive], "alive_number", to=TensorProto.INT64)
        some = body.node("Greater", [body.node("ReduceMax", [_or_nothing(body, alive)], "any", keepdims=0),
                                     body.tensor("nothing", np.int64(0))], "go_on")  # fmt: skip
        ints = [
            helper.make_tensor_value_info(f"{mark}{one}", TensorProto.INT64, [None])
            for one in ("nodes", "best", "length")
        ]
        inputs = [
            helper.make_tensor_value_info(f"{mark}at", TensorProto.INT64, []),
            helper.make_tensor_value_info(f"{mark}on", TensorProto.BOOL, []),
            *ints,
        ]
        outputs = [helper.make_tensor_value_info(some, TensorProto.BOOL, [])]
        outputs += [helper.make_tensor_value_info(one, TensorProto.INT64, [None]) for one in (after, best, length)]
        return helper.make_graph(body.nodes, f"{mark}body", inputs, outputs, initializer=body.tensors)

    def followed(self, best: str, length: str) -> str:
        """Add which pieces follow on each other from the beginning of a word, or what stands for a word not known."""
        node, tensor = self.parts.node, self.parts.tensor
        is_piece = node("GreaterOrEqual", [best, self.zero], "is_piece")
        size = node("Squeeze", [self.count], "size_number")
        here = node("Range", [tensor("from_zero", np.int64(0)), size, tensor("by_one", np.int64(1))], "here")
        ahead = node("Add", [here, length], "ahead")
        stop = tensor("stop", np.array([True]))
        stops = node(
            "Concat",
            [node("Or", [self.starts, node("Not", [self.is_inside], "outside")], "over"), stop],
            "stops",
            axis=0,
        )
        leaves = node("Or", [node("Gather", [stops, ahead], "leaves_at"), node("Not", [is_piece], "no_way")], "leaves")
        jumps = node("Concat", [node("Where", [leaves, self.count, ahead], "jump"), self.count], "jumps", axis=0)
        starts = node("Cast", [self.starts], "start_numbers", to=TensorProto.INT64)
        reached = node("Concat", [starts, self.zero], "reached", axis=0)
        for turn in range(_DOUBLINGS):
            after = node("ScatterElements", [reached, jumps, reached], f"reached_{turn}", axis=0, reduction="max")
            jumps = node("Gather", [jumps, jumps], f"jumps_{turn}", axis=0)
            reached = after
        taken = node("Slice", [reached, self.zero, self.count], "taken_number")
        return self._known(best, is_piece, node("Cast", [taken], "taken", to=TensorProto.BOOL))

    def _known(self, best: str, is_piece: str, taken: str) -> str:
        """Add what puts one number for a whole word that has a part not known, or is too long."""
        node, tensor = self.parts.node, self.parts.tensor
        starts = node("Cast", [self.starts], "starts_number", to=TensorProto.INT64)
        word = node("CumSum", [starts, tensor("axis", np.int64(0))], "word")  # 0 before the first
        slots = node("Add", [self.count, self.one], "slots")
        empty = node("Expand", [self.zero, slots], "empty")
        inside = node("Cast", [self.is_inside], "inside_number", to=TensorProto.INT64)
        sizes = node("ScatterElements", [empty, word, inside], "sizes", axis=0, reduction="add")
        is_long = node("Greater", [sizes, tensor("longest_word", np.array([LONGEST_WORD]))], "is_long")
        stuck = node("And", [taken, node("Not", [is_piece], "lacks")], "stuck")
        stuck = node("Cast", [stuck], "stuck_number", to=TensorProto.INT64)
        failed = node("ScatterElements", [empty, word, stuck], "failed", axis=0, reduction="max")
        bad = node("Or", [is_long, node("Cast", [failed], "has_failed", to=TensorProto.BOOL)], "bad")
        is_bad = node("Gather", [bad, word], "is_bad")
        unknown = tensor("unknown", np.array([self.pieces.number(UNKNOWN)]))
        number = node("Where", [is_bad, unknown, best], "number")
        stays = node("Or", [self.starts, node("Not", [is_bad], "is_good")], "stays")
        kept = node("And", [taken, stays], "kept")  # what is taken lies in a word
        return node("Compress", [number, kept], "kept_numbers", axis=0)


def _or_nothing(body: Parts, alive: str) -> str:
    """Add a zero, of which the largest value can be taken where there is no place at all."""
    return body.node("Concat", [alive, body.tensor("at_least", np.array([0]))], "alive_or_nothing", axis=0)


def _tree(pieces: Pieces) -> tuple[dict[int, int], Any]:
    """Return the tree of all pieces: from node and character to node, and the piece that ends at a node.

    Pieces at the beginning of a word grow from node 0, others from node 1.
    """
    width = STRANGE_SIGN + 1 + len(pieces.codes)
    steps: dict[int, int] = {}
    ends: list[int] = [_NONE, _NONE]
    for (text, is_inside), number in pieces.plain.items():
        node = int(is_inside)
        for one in text:
            key = node * width + pieces.codes[one]
            if key not in steps:
                steps[key] = len(ends)
                ends.append(_NONE)
            node = steps[key]
        ends[node] = number
    return steps, np.array([*ends, _NONE], dtype=np.int64)
