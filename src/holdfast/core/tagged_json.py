"""Flask's tagged JSON: compact, keys sorted, ASCII, with more types than JSON has.

A value of another type becomes an object with one key, its tag, which begins with a space:
``{" t": [1, 2]}`` is a tuple. A plain value, of the types that JSON itself has, is written by
msgspec; the bytes are the same, the general way is several times slower.
"""

from __future__ import annotations

import dataclasses
import decimal
import json
import uuid
from datetime import date
from typing import Any, ClassVar, Protocol

import msgspec

from holdfast.core.tags import (
    PassDict,
    PassList,
    TagBytes,
    TagDateTime,
    TagDict,
    TagMarkup,
    TagTuple,
    TagUUID,
    http_date,
)

_SCALARS = frozenset({str, int, bool, type(None)})
_DEEPEST = 64
_encode_plain = msgspec.json.Encoder(order="sorted").encode
_decode_plain = msgspec.json.Decoder().decode


class JSON(Protocol):
    """What turns plain structures into JSON text and back."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Return JSON text; ``separators`` come as a keyword."""
        ...

    def loads(self, s: str) -> Any:
        """Return what JSON text stands for."""
        ...


class StandardJSON:
    """JSON as Flask writes it where the application has no provider of its own."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Return JSON text, ASCII and with sorted keys."""
        return json.dumps(obj, default=_to_plain, sort_keys=True, **kwargs)

    def loads(self, s: str) -> Any:
        """Return what JSON text stands for."""
        return json.loads(s)


STANDARD = StandardJSON()


class TaggedJSONSerializer:
    """Turn values into tagged JSON and back; more types can be registered."""

    default_tags: ClassVar[list[type[Any]]] = [
        TagDict,
        PassDict,
        TagTuple,
        PassList,
        TagBytes,
        TagMarkup,
        TagUUID,
        TagDateTime,
    ]

    def __init__(self) -> None:
        self.tags: dict[str, Any] = {}
        self.order: list[Any] = []
        for tag_class in self.default_tags:
            self.register(tag_class)
        # Short cuts hold while nothing is overridden here, and nothing registered or replaced.
        cls = type(self)
        self._stock = (
            cls.default_tags is TaggedJSONSerializer.default_tags
            and cls.tag is TaggedJSONSerializer.tag
            and cls.untag is TaggedJSONSerializer.untag
            and cls.untag_within is TaggedJSONSerializer.untag_within
        )
        self._made_order = list(self.order)
        self._made_tags = dict(self.tags)

    def register(
        self,
        tag_class: type[Any],
        force: bool = False,  # noqa: FBT001, FBT002  # Flask's signature
        index: int | None = None,
    ) -> None:
        """Add a tag, at ``index`` in the order of asking or last.

        ``tag_class`` is made with this serializer as its argument. A key that is registered
        already raises :exc:`KeyError` unless ``force`` is true.
        """
        tag = tag_class(self)
        if tag.key:
            if tag.key in self.tags and not force:
                msg = f"Tag {tag.key!r} is already registered; pass force=True to replace it."
                raise KeyError(msg)
            self.tags[tag.key] = tag
        self.order.insert(len(self.order) if index is None else index, tag)

    def tag(self, value: Any) -> Any:
        """Return ``value`` as JSON's own types, tagged where one is missing."""
        for tag in self.order:
            if tag.check(value):
                return tag.tag(value)
        return value

    def untag(self, value: dict[str, Any]) -> Any:
        """Return what a dict stands for: itself, unless its only key is a tag."""
        if len(value) != 1:
            return value
        key = next(iter(value))
        if key not in self.tags:
            return value
        return self.tags[key].to_python(value[key])

    def encode(self, value: Any, json: JSON = STANDARD) -> bytes:
        """Return tagged JSON as ``json`` writes it.

        Raises :exc:`TypeError`, :exc:`ValueError` or :exc:`RecursionError` for what can't be
        written.
        """
        if (
            json is STANDARD
            and self._stock
            and self.order == self._made_order
            and type(value) is dict
            and _is_plain(value)
        ):
            # Flask escapes what isn't ASCII, lone surrogates too, and DEL; msgspec writes the
            # first and the last as they are, and not the surrogates.
            try:
                text = _encode_plain(value)
                if text.isascii() and b"\x7f" not in text:
                    return text
            except UnicodeEncodeError:
                pass
        return json.dumps(self.tag(value), separators=(",", ":")).encode()

    def decode(self, text: bytes, json: JSON = STANDARD) -> Any:
        """Return what tagged JSON stands for.

        Raises whatever a parser or a tag makes of text that isn't tagged JSON.
        """
        if json is not STANDARD or not self._stock or self.tags != self._made_tags:
            return self.untag_within(json.loads(text.decode()))
        try:
            value = _decode_plain(text)
        except (msgspec.DecodeError, ValueError, RecursionError):
            # NaN and lone surrogates, which the standard library writes and reads.
            value = json.loads(text.decode())
        # A tag begins with a space: right behind its quote, or escaped.
        if b'" ' in text or (b"\\" in text and b"\\u0020" in text):
            return self.untag_within(value)
        return value

    def dumps(self, value: Any) -> str:
        """Return tagged JSON as text."""
        return self.encode(value).decode()

    def loads(self, value: str) -> Any:
        """Return what tagged JSON text stands for."""
        return self.decode(value.encode())

    def untag_within(self, value: Any) -> Any:
        """Return a value with all that is tagged in it, at any depth, untagged."""
        if isinstance(value, dict):
            return self.untag({key: self.untag_within(item) for key, item in value.items()})
        if isinstance(value, list):
            return [self.untag_within(item) for item in value]
        return value


def _is_plain(value: dict[Any, Any], depth: int = _DEEPEST) -> bool:
    """Whether msgspec writes a dict exactly as the standard library does and no tag is needed.

    Below ``depth`` the general way decides, so that what Flask can't write is not written here.
    """
    for key, item in value.items():
        if type(key) is not str:
            return False
        kind = type(item)
        if kind in _SCALARS:
            continue
        if kind is dict and depth:
            if not _is_plain(item, depth - 1):
                return False
        elif not _is_plain_item(kind, item, depth):
            return False
    return len(value) != 1 or not next(iter(value)).startswith(" ")


def _is_plain_item(kind: type, value: Any, depth: int) -> bool:
    if kind is list and depth:
        depth -= 1
        for item in value:
            kind = type(item)
            if kind is dict and depth:
                if not _is_plain(item, depth - 1):
                    return False
            elif kind not in _SCALARS and not _is_plain_item(kind, item, depth):
                return False
        return True
    # Outside this range repr() and msgspec write exponents differently; NaN compares false.
    return kind is float and (1e-4 <= abs(value) < 1e15 or value == 0)  # noqa: PLR2004


def _to_plain(value: Any) -> Any:
    """Return JSON's own types for a value that no tag takes: the conversions of Flask's default."""
    if isinstance(value, date):
        return http_date(value)
    if isinstance(value, decimal.Decimal | uuid.UUID):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    markup: Any = getattr(value, "__html__", None)
    if markup is not None:
        return str(markup())
    msg = "neither JSON nor a tag has that type"
    raise TypeError(msg)
