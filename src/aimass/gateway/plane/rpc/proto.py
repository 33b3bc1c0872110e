"""Read ``.proto`` files: as much of the language as our own files use, so that no generated code has to be kept.

The types come from a pool of their own: another package in the process may know messages of the same names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_TOKEN = re.compile(r'//[^\n]*|[A-Za-z_][\w.]*|\d+|"[^"]*"|[{}<>=;,()]')
_SCALARS = {
    "double": 1, "float": 2, "int64": 3, "uint64": 4, "int32": 5, "bool": 8, "string": 9, "bytes": 12, "uint32": 13
}  # fmt: skip
_MESSAGE, _ENUM = FieldDescriptorProto.TYPE_MESSAGE, FieldDescriptorProto.TYPE_ENUM
_ONE, _MANY = FieldDescriptorProto.LABEL_OPTIONAL, FieldDescriptorProto.LABEL_REPEATED


class ProtoFile:
    """The messages and methods of one file.

    Attributes
    ----------
    service
        Full name of its service.
    methods
        The names of its methods; to each, whether requests and answers are streams.
    """

    def __init__(self, path: Path) -> None:
        self._tokens = _tokens(path.read_text())
        self._file = FileDescriptorProto(name=path.name, syntax="proto3")
        self.service = ""
        self.methods: dict[str, tuple[bool, bool]] = {}
        for word in self._tokens:
            self._statement(word)
        pool = DescriptorPool()
        _resolve(self._file)
        pool.Add(self._file)
        package = self._file.package
        self._classes: dict[str, Any] = {
            message.name: GetMessageClass(pool.FindMessageTypeByName(f"{package}.{message.name}"))
            for message in self._file.message_type
        }

    @property
    def names(self) -> frozenset[str]:
        """The names of all messages."""
        return frozenset(self._classes)

    def __getattr__(self, name: str) -> Any:
        """Return the class of a message."""
        try:
            return self._classes[name]
        except KeyError:
            raise AttributeError(f"{self._file.name} has no message {name!r}") from None

    def _statement(self, word: str) -> None:
        if word == "syntax":
            self._take("=", '"proto3"', ";")
        elif word == "package":
            self._file.package = next(self._tokens)
            self._take(";")
        elif word == "message":
            self._message(self._file.message_type.add())
        elif word == "enum":
            self._enum(self._file.enum_type.add())
        elif word == "service":
            self.service = f"{self._file.package}.{next(self._tokens)}"
            self._methods()
        else:
            raise ValueError(f"{self._file.name}: {word!r} is not understood")

    def _take(self, *expected: str) -> None:
        for text in expected:
            found = next(self._tokens)
            if found != text:
                raise ValueError(f"{self._file.name}: {found!r} where {text!r} should be")

    def _methods(self) -> None:
        self._take("{")
        while next(self._tokens) == "rpc":
            name = next(self._tokens)
            takes_many = self._stream_of()
            self._take("returns")
            self.methods[name] = (takes_many, self._stream_of())
            self._take(";")

    def _stream_of(self) -> bool:
        self._take("(")
        is_stream = next(self._tokens) == "stream"
        if is_stream:
            next(self._tokens)
        self._take(")")
        return is_stream

    def _enum(self, enum: EnumDescriptorProto) -> None:
        enum.name = next(self._tokens)
        self._take("{")
        while (name := next(self._tokens)) != "}":
            self._take("=")
            enum.value.add(name=name, number=int(next(self._tokens)))
            self._take(";")

    def _message(self, message: DescriptorProto) -> None:
        message.name = next(self._tokens)
        self._take("{")
        while (word := next(self._tokens)) != "}":
            if word == "message":
                self._message(message.nested_type.add())
            elif word == "oneof":
                self._oneof(message)
            elif word == "map":
                self._map(message)
            elif word == "repeated":
                self._field(message, next(self._tokens), label=_MANY)
            else:
                self._field(message, word)

    def _field(self, message: DescriptorProto, kind: str, *, label: Any = _ONE) -> FieldDescriptorProto:
        field = message.field.add(name=next(self._tokens), label=label)
        self._take("=")
        field.number = int(next(self._tokens))
        self._take(";")
        _set_type(field, kind)
        return field

    def _oneof(self, message: DescriptorProto) -> None:
        place = len(message.oneof_decl)
        message.oneof_decl.add(name=next(self._tokens))
        self._take("{")
        while (kind := next(self._tokens)) != "}":
            self._field(message, kind).oneof_index = place

    def _map(self, message: DescriptorProto) -> None:
        self._take("<")
        key = next(self._tokens)
        self._take(",")
        value = next(self._tokens)
        self._take(">")
        field = self._field(message, "", label=_MANY)
        name = "".join(part.title() for part in field.name.split("_")) + "Entry"
        entry = message.nested_type.add(name=name)
        entry.options.map_entry = True
        for number, (part, kind) in enumerate((("key", key), ("value", value)), 1):
            _set_type(entry.field.add(name=part, number=number, label=_ONE), kind)
        _set_type(field, name)


def _tokens(text: str) -> Iterator[str]:
    return (found for found in _TOKEN.findall(text) if not found.startswith("//"))


def _set_type(field: FieldDescriptorProto, kind: str) -> None:
    if kind in _SCALARS:
        field.type = _SCALARS[kind]  # pyright: ignore[reportAttributeAccessIssue]
    else:
        field.type_name = kind


def _resolve(file: FileDescriptorProto) -> None:
    """Turn the types that fields name into full names; a nested type hides one of the whole file."""
    enums = {enum.name for enum in file.enum_type}

    def visit(message: DescriptorProto, path: str) -> None:
        here = f"{path}.{message.name}"
        nested = {inner.name for inner in message.nested_type}
        for field in message.field:
            if field.type_name:
                field.type = _ENUM if field.type_name in enums else _MESSAGE
                field.type_name = f"{here if field.type_name in nested else f'.{file.package}'}.{field.type_name}"
        for inner in message.nested_type:
            visit(inner, here)

    for message in file.message_type:
        visit(message, f".{file.package}")
