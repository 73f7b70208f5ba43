"""Keys in documents: what JSON has no notation for is an object with one key that says what it is."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from sknorm._document import NON_FINITE, SHORT, Node, is_unicode
from sknorm.groups.key_arrays import canonical, from_numpy

__all__ = ["read_key", "write_key"]

# Tuples within tuples; and how many digits follow a second, by the unit.
DEEPEST = 20
DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
UNITS = {digits: unit for unit, digits in DIGITS.items()}
TOO_LARGE = 10**1000
INTEGER = re.compile(r"(-?[1-9][0-9]{18,999})", re.ASCII)
ZONE = r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*"
# As in RFC 9557, in UTC: 2020-01-31T09:30:00.000000Z[Europe/Berlin]. How many digits there are says the unit.
MOMENT = re.compile(
    rf"(-?\d{{4,12}}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(?:\d{{3}}){{1,3}})?)(Z(?:\[(?:({ZONE})|([+-]\d\d:\d\d(?::\d\d)?))\])?)?",
    re.ASCII,
)
DURATION = re.compile(r"(-?)PT(\d{1,19})(?:\.((?:\d{3}){1,3}))?S", re.ASCII)


def write_key(key: Any, depth: int = 0) -> Any:
    """Return a key as JSON has it."""
    if key is None or type(key) is bool:
        return key
    if type(key) is int:
        if -(2**63) <= key < 2**64:
            return key
        if abs(key) >= TOO_LARGE:
            raise ValueError(f"A key is an integer of {key.bit_length()} bits; a document holds 1000 digits.")
        return {"integer": str(key)}
    if type(key) is float:
        return key if math.isfinite(key) else {"float": "Infinity" if key > 0 else "-Infinity"}
    if type(key) is str:
        if not is_unicode(key):
            raise ValueError(f"Keys must be strings of Unicode characters for a document, not {SHORT.repr(key)}.")
        return key
    if type(key) is tuple:
        if depth == DEEPEST:
            raise ValueError(f"A key is nested more than {DEEPEST} levels deep.")
        return {"tuple": [write_key(part, depth + 1) for part in key]}
    if isinstance(key, datetime):
        return write_moment(key)
    if type(key) is date:
        return {"date": key.isoformat()}
    if isinstance(key, timedelta):
        return {"timedelta": write_duration(key)}
    kind = type(key)
    raise TypeError(f"The key {SHORT.repr(key)} is a {kind.__module__}.{kind.__qualname__}; a document holds none.")


def write_moment(key: Any) -> dict[str, str]:
    """Return a Timestamp or datetime as an object: its time in UTC and its time zone."""
    is_timestamp = hasattr(key, "to_datetime64")
    if is_timestamp:
        value = key.to_datetime64()
    else:
        try:
            naive = key.replace(tzinfo=None) - (key.utcoffset() or timedelta(0))
        except OverflowError:
            raise ValueError(f"The key {key!r} lies outside the years 1 to 9999 in UTC.") from None
        value = np.datetime64(naive, "us")
    return {"timestamp" if is_timestamp else "datetime": str(np.datetime_as_string(value)) + write_zone(key)}


def write_zone(key: Any) -> str:
    """Return how the time in UTC of a Timestamp or datetime ends: with its zone's name, or an offset."""
    zone = key.tzinfo
    if zone is None:
        return ""
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)
    if name is None:
        try:
            offset = zone.utcoffset(None)
        except Exception:  # whoever wrote the class
            offset = None
        if offset is not None and not offset.microseconds:
            sign, seconds = "-" if offset < timedelta(0) else "+", abs(offset) // timedelta(seconds=1)
            ending = f":{seconds % 60:02}" if seconds % 60 else ""
            return f"Z[{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}{ending}]" if seconds else "Z"
    if name is None or not re.fullmatch(ZONE, name) or name.startswith("dateutil/"):
        raise TypeError(f"The key {SHORT.repr(key)} has a time zone without a name, {zone!r}; a document holds none.")
    return "Z" if name == "UTC" else f"Z[{name}]"


def write_duration(key: Any) -> str:
    """Return a duration as seconds in ISO 8601."""
    if hasattr(key, "to_timedelta64"):
        value = key.to_timedelta64()
        count, digits = int(value.astype(np.int64)), DIGITS[np.datetime_data(value.dtype)[0]]
    else:
        count, digits = key // timedelta(microseconds=1), 6
        if abs(count) >= 2**63:
            raise ValueError(f"The key {key!r} is too long for a document.")
    seconds, rest = divmod(abs(count), 10**digits)
    return f"{'-' if count < 0 else ''}PT{seconds}{f'.{rest:0{digits}}' if digits else ''}S"


def read_key(node: Node, depth: int = 0) -> Any:
    """Return the key that `write_key` wrote."""
    value = node.value
    if value is None or type(value) is bool:
        return value
    if type(value) is int:
        return node.integer(-(2**63), 2**64 - 1)
    if type(value) is float:
        return node.number() + 0.0
    if type(value) is str:
        return node.text()
    if type(value) is not dict or len(value) != 1 or not {"tuple", *READERS}.issuperset(value):
        raise node.error(f"must be a key: a string, a number, true, false, null or one of tuple, {', '.join(READERS)}")
    (tag,) = value
    if tag == "tuple":
        if depth == DEEPEST:
            raise ValueError(f"{node} is nested more than {DEEPEST} levels deep.")
        return tuple(read_key(part, depth + 1) for part in node[tag].items())
    text = node[tag].text()
    try:
        key = READERS[tag](text)
        is_good = write_key(key) == value
    except Exception:  # whatever pandas and the zones' files make of it
        is_good = False
    if not is_good:
        raise node.error(f"must be a {tag} as a document writes it")
    return key


def read_timestamp(text: str) -> Any:
    """Return the Timestamp."""
    value, is_utc, zone, offset = read_moment(text)
    key = canonical(from_numpy(value))
    if is_utc:
        key = key.tz_localize("UTC")
    return key.tz_convert(zone or offset) if zone or offset else key


def read_datetime(text: str) -> Any:
    """Return the datetime."""
    value, is_utc, zone, offset = read_moment(text)
    key: Any = value.item()
    if not is_utc:
        return key
    return key.replace(tzinfo=UTC).astimezone(ZoneInfo(zone) if zone else offset or UTC)


def read_duration(text: str) -> Any:
    """Return the Timedelta."""
    sign, seconds, fraction = matched(DURATION, text)
    fraction = fraction or ""
    count, unit = int(f"{sign}{seconds}{fraction}"), UNITS[len(fraction)]
    return from_numpy(np.int64(count).astype(f"m8[{unit}]"))


def read_moment(text: str) -> tuple[np.datetime64, bool, str | None, timezone | None]:
    """Return the time, in UTC if the second says so, the name of its zone, and its offset."""
    time, utc, zone, offset = matched(MOMENT, text)
    value = np.datetime64(time)
    if np.datetime_as_string(value) != time:  # NumPy overflows without a word
        raise ValueError("out of bounds")
    if offset is None:
        return value, utc is not None, zone, None
    hours, minutes, seconds = (int(part) for part in (offset[1:] + ":00").split(":")[:3])
    ahead = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return value, True, None, timezone(ahead if offset[0] == "+" else -ahead)


def matched(pattern: re.Pattern[str], text: str) -> tuple[str | Any, ...]:
    """Return the groups of a text that a pattern matches."""
    match = pattern.fullmatch(text)
    if match is None:
        raise ValueError("no match")
    return match.groups()


READERS: dict[str, Callable[[str], Any]] = {
    "integer": lambda text: int(matched(INTEGER, text)[0]),
    "float": NON_FINITE.__getitem__,
    "timestamp": read_timestamp,
    "datetime": read_datetime,
    "timedelta": read_duration,
    "date": date.fromisoformat,
}
