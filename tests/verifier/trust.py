"""The trust root: a genesis file, its canonical bytes, and what the check asks of it."""

import tomllib
from dataclasses import dataclass, field
from datetime import datetime, timezone

import crypto
from codec import TIME_MAX, U16, U32, U64, is_code, is_text

GENESIS_BYTES_MAX = 4_194_304
LIMITS = (
    ("block_bytes_max", 65_536, 4_000_000),
    ("block_operations_max", 1, 100_000),
    ("validity_heights_max", 10, 1_000_000),
)
TIMING = (
    ("propose_ms", 10, 60_000),
    ("vote_ms", 10, 60_000),
    ("round_step_ms", 1, 60_000),
    ("timeout_max_ms", 100, 600_000),
    ("idle_ms", 10, 600_000),
    ("clock_ahead_ms", 10, 600_000),
)
GOVERNANCE = (
    ("approval_percent", 51, 100),
    ("open_heights", 10, 10_000_000),
    ("lead_heights", 1, 1_000_000),
)
FAMILIES = ("item", "licence", "trace", "govern")
LEVELS = ("national", "province", "city", "county", "town", "village")


class Unusable(Exception):
    """The file is no genesis; the sentence says why."""


@dataclass
class Role:
    family: str
    regions: list[int]
    prefixes: list[str]


@dataclass
class Agency:
    keys: set[bytes]
    roles: list[Role]


@dataclass
class TrustRoot:
    chain: bytes
    committee_digest: bytes
    seats: list[bytes]
    agencies: dict[str, Agency]
    time: int
    # The proof of a block that is known to be of the chain, and the changes of the committee that lead to it.
    saved: object = None
    hops: list = field(default_factory=list)


def load(data: bytes) -> TrustRoot:
    """Reads a genesis file."""
    if len(data) > GENESIS_BYTES_MAX:
        raise Unusable("it is longer than 4 MiB")
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, ValueError) as e:
        raise Unusable(f"it is not TOML: {e}") from None
    return _build(Table(table, "genesis"))


class Table:
    """A TOML table that is emptied as it is read, so that an unknown field is noticed."""

    def __init__(self, value, name: str):
        if not isinstance(value, dict):
            raise Unusable(f"{name} is not a table")
        self.value, self.name = dict(value), name

    def take(self, field: str, kind: type):
        if field not in self.value:
            raise Unusable(f"{self.name} lacks {field}")
        value = self.value.pop(field)
        if type(value) is not kind:
            raise Unusable(f"{self.name}.{field} is not what it should be")
        return value

    def number(self, field: str, least: int, most: int) -> int:
        value = self.take(field, int)
        if not least <= value <= most:
            raise Unusable(f"{self.name}.{field} is {value}; it must be {least} to {most}")
        return value

    def text(self, field: str, most: int) -> str:
        value = self.take(field, str)
        if not is_text(value, most):
            raise Unusable(f"{self.name}.{field} is not a text of 1 to {most} bytes")
        return value

    def texts(self, field: str, most: int) -> list[str]:
        values = self.take(field, list)
        if not all(type(v) is str and is_text(v, most) for v in values):
            raise Unusable(f"{self.name}.{field} is not a list of texts")
        return values

    def tables(self, field: str) -> list["Table"]:
        return [Table(v, f"{self.name}.{field}") for v in self.take(field, list)]

    def table(self, field: str) -> "Table":
        return Table(self.take(field, dict), f"{self.name}.{field}")

    def end(self) -> None:
        if self.value:
            raise Unusable(f"{self.name} has an unknown field: {next(iter(self.value))}")


def _build(t: Table) -> TrustRoot:
    encoded = bytearray()
    encoded += U16.pack(t.number("version", 1, 1))
    encoded += _text(t.text("name", 64))
    begin = _time(t.take("time", str))
    encoded += U64.pack(begin)
    for name, fields in (("limits", LIMITS), ("timing", TIMING), ("governance", GOVERNANCE)):
        table = t.table(name)
        for field, least, most in fields:
            encoded += U32.pack(table.number(field, least, most))
        table.end()

    agencies, names, parents, places = {}, {}, {}, []
    tables = t.tables("agencies")
    encoded += U64.pack(len(tables))
    for a in tables:
        code, name = _code(a.take("code", str)), a.text("name", 96)
        encoded += code.encode() + _text(name) + U32.pack(_region(a.take("region", str)))
        encoded += U32.pack(_level(a.take("level", str)))
        parent = _code(a.take("parent", str)) if "parent" in a.value else None
        encoded += b"\0" if parent is None else b"\1" + parent.encode()
        keys = [_key(k) for k in a.take("keys", list)]
        encoded += _list(b"\1" + k for k in keys)
        roles = [_role(r) for r in a.tables("roles")]
        encoded += _list(bytes_ for _, bytes_ in roles)
        a.end()
        if code in agencies:
            raise Unusable(f"the agency {code} is enrolled twice")
        parents[code] = parent
        places += keys
        agencies[code], names[code] = Agency(set(keys), [role for role, _ in roles]), name

    seats, committee = [], []
    tables = t.tables("validators")
    encoded += U64.pack(len(tables))
    for v in tables:
        code = _code(v.take("agency", str))
        consensus, transport = _key(v.take("consensus_key", str)), _key(v.take("transport_key", str))
        encoded += code.encode() + b"\1" + consensus + b"\1" + transport
        v.end()
        if code not in names:
            raise Unusable(f"the validator {code} is no agency")
        seats.append(consensus)
        places += (consensus, transport)
        committee.append(code.encode() + _text(names[code]) + b"\1" + consensus)
    t.end()
    if len(set(places)) != len(places):
        raise Unusable("a key is used twice")
    if not 4 <= len(seats) <= 128:
        raise Unusable(f"{len(seats)} validators; a committee has 4 to 128")
    _climb(parents)
    return TrustRoot(
        crypto.derive("minlian v1 chain", bytes(encoded)),
        crypto.derive("minlian v1 committee", _list(committee)),
        seats,
        agencies,
        begin,
    )


def _climb(parents: dict[str, str | None]) -> None:
    """Everyone above an agency is enrolled, and nobody is above itself."""
    sound: set[str] = set()
    for code in parents:
        way: set[str] = set()
        while code is not None and code not in sound:
            if code not in parents:
                raise Unusable(f"the agency {code} is named but not enrolled")
            if code in way:
                raise Unusable(f"the agency {code} is above itself")
            way.add(code)
            code = parents[code]
        sound |= way


def _role(t: Table) -> tuple[Role, bytes]:
    if len(t.value) != 1:
        raise Unusable("a role is one of item, licence, trace and govern")
    family = next(iter(t.value))
    if family not in FAMILIES:
        raise Unusable(f"there is no role {family}")
    scope = t.table(family)
    encoded = U32.pack(FAMILIES.index(family))
    regions, prefixes = [], []
    if family == "licence":
        prefixes = scope.texts("types", 32)
        encoded += _list(map(_text, prefixes))
    if family == "trace":
        prefixes = scope.texts("namespaces", 256)
        encoded += _list(map(_text, prefixes))
    if family in ("item", "licence"):
        regions = [_region(r) for r in scope.take("regions", list)]
        encoded += _list(map(U32.pack, regions))
    scope.end()
    return Role(family, regions, prefixes), encoded


def _list(items) -> bytes:
    items = list(items)
    return U64.pack(len(items)) + b"".join(items)


def _text(value: str) -> bytes:
    encoded = value.encode()
    return U64.pack(len(encoded)) + encoded


def _time(value: str) -> int:
    try:
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError
        since = at - datetime(1970, 1, 1, tzinfo=timezone.utc)
    except (ValueError, OverflowError):
        raise Unusable("time is not RFC 3339") from None
    ms = (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
    if not 0 <= ms <= TIME_MAX:
        raise Unusable("time is out of range")
    return ms


def _code(value) -> str:
    if type(value) is not str or not is_code(value):
        raise Unusable("an agency's code is wrong")
    return value


def _region(value) -> int:
    if type(value) is not str or len(value) != 6 or not (value.isascii() and value.isdigit()) or value < "100000":
        raise Unusable("a region is six digits")
    return int(value)


def _level(value: str) -> int:
    if value not in LEVELS:
        raise Unusable(f"there is no level {value}")
    return LEVELS.index(value)


def _key(value) -> bytes:
    if type(value) is not str or not value.startswith("ed25519:") or len(value) != 72:
        raise Unusable("a key is ed25519: and 64 hexadecimal digits")
    if not set(value[8:]) <= set("0123456789abcdef"):
        raise Unusable("a key is ed25519: and 64 hexadecimal digits")
    key = bytes.fromhex(value[8:])
    if not crypto.is_point(key) or not crypto.is_canonical(key) or crypto.is_small_order(key):
        raise Unusable("a key is weak, or no point, or spelled in a second way")
    return key
