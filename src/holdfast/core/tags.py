"""The tags of Flask's tagged JSON: one class for each type that JSON lacks."""

from __future__ import annotations

import base64
import email.utils
import uuid
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from holdfast.core.tagged_json import TaggedJSONSerializer


class JSONTag:
    """One type that JSON lacks: how it is recognised, written and read.

    Made with the serializer that will ask it. A tag without a ``key`` only prepares what is in it.
    """

    __slots__ = ("serializer",)

    key: ClassVar[str] = ""

    def __init__(self, serializer: TaggedJSONSerializer) -> None:
        self.serializer = serializer

    def check(self, value: Any) -> bool:
        """Return whether this tag writes ``value``."""
        raise NotImplementedError

    def to_json(self, value: Any) -> Any:
        """Return what is written beneath the tag."""
        raise NotImplementedError

    def to_python(self, value: Any) -> Any:
        """Return the value for what was written beneath the tag."""
        raise NotImplementedError

    def tag(self, value: Any) -> Any:
        """Return the tagged value."""
        return {self.key: self.to_json(value)}


class TagDict(JSONTag):
    """A dict with a single key that looks like a tag: the key is written with ``__`` behind it."""

    __slots__ = ()
    key = " di"

    def check(self, value: Any) -> bool:
        return (
            isinstance(value, dict)
            and len(value) == 1
            and next(iter(value)) in self.serializer.tags
        )

    def to_json(self, value: Any) -> Any:
        key = next(iter(value))
        return {f"{key}__": self.serializer.tag(value[key])}

    def to_python(self, value: Any) -> Any:
        key = next(iter(value))
        return {key[:-2]: value[key]}


class PassDict(JSONTag):
    """Any other dict."""

    __slots__ = ()

    def check(self, value: Any) -> bool:
        return isinstance(value, dict)

    def tag(self, value: Any) -> Any:
        return {key: self.serializer.tag(item) for key, item in value.items()}


class TagTuple(JSONTag):
    """A tuple, named ones too; it comes back as a plain tuple."""

    __slots__ = ()
    key = " t"

    def check(self, value: Any) -> bool:
        return isinstance(value, tuple)

    def to_json(self, value: Any) -> Any:
        return [self.serializer.tag(item) for item in value]

    def to_python(self, value: Any) -> Any:
        return tuple(value)


class PassList(JSONTag):
    """A list."""

    __slots__ = ()

    def check(self, value: Any) -> bool:
        return isinstance(value, list)

    def tag(self, value: Any) -> Any:
        return [self.serializer.tag(item) for item in value]


class TagBytes(JSONTag):
    """Bytes, in base64."""

    __slots__ = ()
    key = " b"

    def check(self, value: Any) -> bool:
        return isinstance(value, bytes)

    def to_json(self, value: Any) -> Any:
        return base64.b64encode(value).decode("ascii")

    def to_python(self, value: Any) -> Any:
        return base64.b64decode(value)


class TagMarkup(JSONTag):
    """Whatever has an ``__html__`` method; it comes back as markupsafe's ``Markup``."""

    __slots__ = ()
    key = " m"

    def check(self, value: Any) -> bool:
        return callable(getattr(value, "__html__", None))

    def to_json(self, value: Any) -> Any:
        return str(value.__html__())

    def to_python(self, value: Any) -> Any:
        # Only an application that has markupsafe can have stored one.
        from markupsafe import Markup  # noqa: PLC0415

        return Markup(value)  # noqa: S704  # it was safe when it was stored


class TagUUID(JSONTag):
    """A UUID, in hexadecimal."""

    __slots__ = ()
    key = " u"

    def check(self, value: Any) -> bool:
        return isinstance(value, uuid.UUID)

    def to_json(self, value: Any) -> Any:
        return value.hex

    def to_python(self, value: Any) -> Any:
        return uuid.UUID(value)


class TagDateTime(JSONTag):
    """A datetime, as an HTTP date (RFC 9110, section 5.6.7): in UTC, in whole seconds."""

    __slots__ = ()
    key = " d"

    def check(self, value: Any) -> bool:
        return isinstance(value, datetime)

    def to_json(self, value: Any) -> Any:
        return http_date(value)

    def to_python(self, value: Any) -> Any:
        return _parse_http_date(value)


def http_date(value: date) -> str:
    """Return a date as HTTP writes it (RFC 9110, section 5.6.7), in UTC; naive ones are UTC."""
    if not isinstance(value, datetime):
        value = datetime.combine(value, time(tzinfo=UTC))
    elif value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return email.utils.format_datetime(value.astimezone(UTC), usegmt=True)


def _parse_http_date(value: str) -> datetime | None:
    try:
        parsed = email.utils.parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed
