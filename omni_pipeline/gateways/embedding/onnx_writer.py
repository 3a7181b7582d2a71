"""Writes an ONNX model as bytes: the ten protobuf messages of it that a plain graph needs.

The `onnx` package would do the same with 31 MB of installation; field numbers are those of
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MICROSOFT = "com.microsoft"  # onnxruntime's own operators

_IR_VERSION = 9
_OPSETS = {"": 18, MICROSOFT: 1}
_FLOAT = 1
_DATA_TYPES = {"float32": _FLOAT, "uint8": 2, "int8": 3, "int64": 7}
_ATTRIBUTE_FLOAT, _ATTRIBUTE_INT = 1, 2

Attribute = int | float


class GraphWriter:
    """Collects nodes and constants; every method answers the name of the value it made."""

    def __init__(self) -> None:
        self._fields: list[bytes] = []
        self._names = 0

    def constant(self, values: NDArray[Any]) -> str:
        name = self._new_name()
        tensor = [_integer(1, size) for size in values.shape]
        tensor += [_integer(2, _DATA_TYPES[values.dtype.name]), _text(8, name)]
        tensor += [_bytes(9, np.ascontiguousarray(values).tobytes())]
        self._fields.append(_bytes(5, b"".join(tensor)))
        return name

    def node(self, op: str, *inputs: str, domain: str = "", **attributes: Attribute) -> str:
        return self.nodes(op, *inputs, domain=domain, outputs=1, **attributes)[0]

    def nodes(
        self, op: str, *inputs: str, outputs: int, domain: str = "", **attributes: Attribute
    ) -> list[str]:
        """Like ``node``, for an operator with several outputs."""
        names = [self._new_name() for _ in range(outputs)]
        fields = [_text(1, name) for name in inputs] + [_text(2, name) for name in names]
        fields += [_text(4, op), _text(7, domain)]
        fields += [_bytes(5, _attribute(name, value)) for name, value in attributes.items()]
        self._fields.append(_bytes(1, b"".join(fields)))
        return names

    def model(self, *, inputs: Mapping[str, Sequence[str | int]], output: str) -> list[bytes]:
        """The model, in pieces to be written one after the other: joined, it would be there twice.

        Args:
            inputs: Names and shapes of the float32 inputs; a size is a number or a free name.
            output: The value that a run answers.
        """
        graph = [*self._fields, _text(2, "graph")]
        graph += [_bytes(11, _value(name, shape)) for name, shape in inputs.items()]
        graph += [_bytes(12, _value(output, None))]
        opsets = [_text(1, name) + _integer(2, version) for name, version in _OPSETS.items()]
        head = [_integer(1, _IR_VERSION), *(_bytes(8, opset) for opset in opsets)]
        return [*head, _header(7, sum(map(len, graph))), *graph]

    def _new_name(self) -> str:
        self._names += 1
        return f"v{self._names}"


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, float):
        return _text(1, name) + _float(2, value) + _integer(20, _ATTRIBUTE_FLOAT)
    return _text(1, name) + _integer(3, value) + _integer(20, _ATTRIBUTE_INT)


def _value(name: str, shape: Sequence[str | int] | None) -> bytes:
    tensor = _integer(1, _FLOAT)
    if shape is not None:
        tensor += _bytes(2, b"".join(_bytes(1, _size(size)) for size in shape))
    return _text(1, name) + _bytes(2, _bytes(1, tensor))


def _size(size: str | int) -> bytes:
    return _text(2, size) if isinstance(size, str) else _integer(1, size)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # negative numbers travel as their 64-bit two's complement
    digits = bytearray()
    while value >> 7:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def _integer(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _float(field: int, value: float) -> bytes:
    return _varint(field << 3 | 5) + struct.pack("<f", value)


def _bytes(field: int, value: bytes) -> bytes:
    return _header(field, len(value)) + value


def _header(field: int, length: int) -> bytes:
    return _varint(field << 3 | 2) + _varint(length)


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())
