"""As much of protocol buffers as kubectl speaks with the fake of its API: fields of texts, messages and numbers."""

from collections.abc import Iterator

Field = tuple[int, "str | bytes | bool"]


def message(*fields: Field) -> bytes:
    """A message of these fields, in their order."""
    return b"".join(_field(number, value) for number, value in fields)


def _field(number: int, value: "str | bytes | bool") -> bytes:
    if isinstance(value, bool):
        return _varint(number << 3) + _varint(int(value))
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def read(raw: bytes) -> dict[int, bytes]:
    """The fields of a message that are texts or messages, the last of each number."""
    return dict(_fields(raw))


def _fields(raw: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(raw):
        key, at = _read_varint(raw, at)
        size, at = _read_varint(raw, at)
        if key & 7 == 2:
            yield key >> 3, raw[at : at + size]
            at += size
        elif key & 7 != 0:
            raise ValueError(f"a field of type {key & 7}")


def _read_varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (raw[at] & 0x7F) << shift
        shift += 7
        at += 1
        if raw[at - 1] < 0x80:
            return value, at
