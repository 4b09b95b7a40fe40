"""The bytes of a proof: the two carriers and the encoding of everything inside, read strictly.

Every value has one spelling and this reader accepts no other, so the bytes read are the encoding of the value; hashes
are taken over them.
"""

import base64
import struct
from dataclasses import dataclass

import crypto

FILE_BYTES_MAX = 4_194_304
CLAIMS_MAX = 1000
MAGIC = b"MINLIAN\0"
VERSION = 1
TIME_MAX = 253_370_764_800_000
BEGIN = b"-----BEGIN MINLIAN PROOF-----"
END = b"-----END MINLIAN PROOF-----"
LINE = 64


class Refused(Exception):
    """What was handed in cannot be read: V-FORMAT or V-MALFORMED."""

    def __init__(self, code: str):
        super().__init__(code)
        self.code = code


def malformed() -> Refused:
    return Refused("V-MALFORMED")


# Carriers.


@dataclass
class File:
    body: bytes
    seal_holds: bool


def open_file(data: bytes) -> File:
    """Finds the body in either carrier. The seal is judged by the caller, last."""
    if MAGIC.startswith(data) or BEGIN.startswith(data):
        raise malformed()
    if data.startswith(BEGIN):
        data = _unarmour(data)
    if not data.startswith(MAGIC):
        raise Refused("V-FORMAT")
    if len(data) > FILE_BYTES_MAX or len(data) < 10:
        raise malformed()
    if data[8:10] != VERSION.to_bytes(2, "little"):
        raise Refused("V-FORMAT")
    if len(data) < 18:
        raise malformed()
    seal = crypto.plain(data[:-8])[:8]
    return File(data[10:-8], seal == data[-8:])


def _unarmour(text: bytes) -> bytes:
    for end in (b"\n", b"\r\n"):
        if len(text) > armour_bytes_max(len(end)):
            raise malformed()
        if not text.startswith(BEGIN + end):
            continue
        lines = text.split(end)
        if len(lines) < 4 or lines[-1] != b"" or lines[-2] != END:
            break
        try:
            binary = base64.b64decode(b"".join(lines[1:-3]), validate=True)
        except ValueError:
            break
        if armour(binary, end) == text:
            return binary
    raise malformed()


def armour_bytes_max(end: int) -> int:
    digits = (FILE_BYTES_MAX + 2) // 3 * 4
    lines = (digits + LINE - 1) // LINE
    return len(BEGIN) + digits + 17 + len(END) + end * (lines + 3)


def armour(binary: bytes, end: bytes) -> bytes:
    """What a writer prints for these bytes."""
    digits = base64.b64encode(binary)
    lines = [BEGIN]
    lines += [digits[i : i + LINE] for i in range(0, len(digits), LINE)]
    lines += [b"=" + crypto.plain(binary)[:8].hex().encode(), END, b""]
    return end.join(lines)


# Values.

U16 = struct.Struct("<H")
U32 = struct.Struct("<I")
U64 = struct.Struct("<Q")

# Unicode White_Space, which is not what `str.isspace` means.
WHITE_SPACE = frozenset(
    [*range(0x9, 0xE), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]
)
# Unicode Cc, the marks that change direction, and the byte order mark.
FORBIDDEN = frozenset(
    [*range(0x20), *range(0x7F, 0xA0), 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF]
)

CODE_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
ORGANISATION_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def is_text(value: str, most: int) -> bool:
    if not 1 <= len(value.encode()) <= most:
        return False
    points = [ord(c) for c in value]
    return (
        FORBIDDEN.isdisjoint(points) and points[0] not in WHITE_SPACE and points[-1] not in WHITE_SPACE
    )


def is_code(value: str) -> bool:
    """A 统一社会信用代码: 18 characters, the last a check of all, the ninth of the organisation's own eight."""
    if len(value) != 18 or any(c not in CODE_ALPHABET for c in value):
        return False
    whole = sum(CODE_ALPHABET.index(c) * pow(3, i, 31) for i, c in enumerate(value[:17]))
    if CODE_ALPHABET[-whole % 31] != value[17]:
        return False
    own = sum(ORGANISATION_ALPHABET.index(c) * w for c, w in zip(value[8:16], ORGANISATION_WEIGHTS))
    return "0123456789X0"[11 - own % 11] == value[16]


class Reader:
    """A cursor over received bytes. Nothing is allocated for a count that the bytes left cannot hold."""

    def __init__(self, data: bytes):
        self.data = data
        self.at = 0

    def take(self, n: int) -> bytes:
        end = self.at + n
        if end > len(self.data):
            raise malformed()
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def since(self, start: int) -> bytes:
        """The encoding of what was read since `start`."""
        return self.data[start : self.at]

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return U16.unpack(self.take(2))[0]

    def u32(self) -> int:
        return U32.unpack(self.take(4))[0]

    def u64(self) -> int:
        return U64.unpack(self.take(8))[0]

    def hash(self) -> bytes:
        return self.take(32)

    def variant(self, count: int) -> int:
        n = self.u32()
        if n >= count:
            raise malformed()
        return n

    def maybe(self, read):
        flag = self.u8()
        if flag > 1:
            raise malformed()
        return read() if flag else None

    def many(self, read, least: int) -> list:
        """A list whose elements take at least `least` bytes each."""
        n = self.u64()
        if n * least > len(self.data) - self.at:
            raise malformed()
        return [read() for _ in range(n)]

    def text(self, most: int) -> str:
        n = self.u64()
        if not 1 <= n <= most:
            raise malformed()
        try:
            value = self.take(n).decode("utf-8")
        except UnicodeDecodeError:
            raise malformed() from None
        if not is_text(value, most):
            raise malformed()
        return value

    def code(self) -> str:
        try:
            value = self.take(18).decode("ascii")
        except UnicodeDecodeError:
            raise malformed() from None
        if not is_code(value):
            raise malformed()
        return value

    def key(self) -> bytes:
        if self.u8() != 1:
            raise malformed()
        return self.take(32)

    def signature(self) -> bytes:
        if self.u8() != 1:
            raise malformed()
        return self.take(64)

    def digest(self) -> None:
        if self.u8() not in (1, 2, 3):
            raise malformed()
        self.take(32)

    def time(self) -> int:
        t = self.u64()
        if t > TIME_MAX:
            raise malformed()
        return t

    def region(self) -> int:
        r = self.u32()
        if not 100_000 <= r <= 999_999:
            raise malformed()
        return r


# The structures, in the order of FORMAT.md. Only what the check looks at is kept; the rest is read and let go.


@dataclass
class Header:
    version: int
    chain: bytes
    height: int
    time: int
    log_size: int
    log_root: bytes
    state_root: bytes
    committee: bytes
    next_committee: bytes
    encoded: bytes


@dataclass
class Certificate:
    height: int
    round: int
    block: bytes
    signatures: list[tuple[int, bytes]]


@dataclass
class Entry:
    position: int
    height: int
    time: int
    tx: bytes
    index: int
    record: bytes
    encoded: bytes


@dataclass
class Transaction:
    version: int
    chain: bytes
    agency: str
    key: bytes
    valid_until: int
    count: int
    operations: bytes
    encoded: bytes


@dataclass
class Operation:
    """What a role is held against: the family, and the scope the operation names, if it names one."""

    family: str
    region: int | None
    kind: str | None
    lots: list[str]
    encoded: bytes


@dataclass
class RecordClaim:
    entry: Entry
    log_path: list[bytes]
    transaction: Transaction
    signature: bytes
    operation: Operation
    operation_path: list[bytes]


@dataclass
class Link:
    position: int
    record: bytes
    encoded: bytes


@dataclass
class State:
    subject: bytes
    records: int
    head: bytes
    latest: int
    encoded: bytes


@dataclass
class StatusClaim:
    subject: bytes
    state: State | None
    siblings: list[bytes]
    other: tuple[bytes, bytes] | None
    history: list[Link] | None


@dataclass
class Proof:
    chain: bytes
    header: Header
    certificate: Certificate
    claims: list[RecordClaim | StatusClaim]


def read_proof(body: bytes) -> Proof:
    r = Reader(body)
    chain = r.hash()
    header = read_header(r)
    certificate = read_certificate(r)
    claims = r.many(lambda: read_claim(r), 4)
    if r.at != len(body) or not 1 <= len(claims) <= CLAIMS_MAX:
        raise malformed()
    return Proof(chain, header, certificate, claims)


def read_header(r: Reader) -> Header:
    start = r.at
    version, chain, height, time = r.u16(), r.hash(), r.u64(), r.time()
    r.u16(), r.hash(), r.hash()  # proposer, parent, payload
    log_size, log_root, state_root, committee, following = r.u64(), r.hash(), r.hash(), r.hash(), r.hash()
    return Header(
        version, chain, height, time, log_size, log_root, state_root, committee, following, r.since(start)
    )


def read_certificate(r: Reader) -> Certificate:
    return Certificate(r.u64(), r.u32(), r.hash(), r.many(lambda: (r.u16(), r.signature()), 67))


def read_claim(r: Reader) -> RecordClaim | StatusClaim:
    return (read_record_claim, read_status_claim)[r.variant(2)](r)


def read_record_claim(r: Reader) -> RecordClaim:
    return RecordClaim(
        read_entry(r),
        r.many(r.hash, 32),
        read_transaction(r),
        r.signature(),
        read_operation(r),
        r.many(r.hash, 32),
    )


def read_entry(r: Reader) -> Entry:
    start = r.at
    fields = (r.u64(), r.u64(), r.time(), r.hash(), r.u32(), r.hash())
    return Entry(*fields, r.since(start))


def read_transaction(r: Reader) -> Transaction:
    start = r.at
    version, chain, agency, key = r.u16(), r.hash(), r.code(), r.key()
    r.u64()  # nonce
    valid_until, count, operations = r.u64(), r.u32(), r.hash()
    return Transaction(version, chain, agency, key, valid_until, count, operations, r.since(start))


def read_status_claim(r: Reader) -> StatusClaim:
    subject = read_subject(r)
    state = r.maybe(lambda: read_state(r))
    siblings = r.many(r.hash, 32)
    other = r.maybe(lambda: (r.hash(), r.hash()))
    history = r.maybe(lambda: r.many(lambda: read_link(r), 44))
    return StatusClaim(subject, state, siblings, other, history)


def read_subject(r: Reader) -> bytes:
    start = r.at
    r.variant(4)
    r.text(256)
    return r.since(start)


def read_state(r: Reader) -> State:
    start = r.at
    subject = read_subject(r)
    r.variant(7), r.code(), r.u32()  # status, owner, version
    records, head, latest = r.u64(), r.hash(), r.u64()
    r.time()  # effective_from
    read_facts(r)
    return State(subject, records, head, latest, r.since(start))


def read_facts(r: Reader) -> None:
    kind = r.variant(4)
    if kind == 0:
        r.text(24), read_level(r), r.region(), r.maybe(r.time)
    elif kind == 1:
        read_level(r), r.text(36)
    elif kind == 2:
        read_licence_facts(r), r.maybe(lambda: r.text(160))


def read_link(r: Reader) -> Link:
    start = r.at
    position, record = r.u64(), r.hash()
    read_part(r)
    return Link(position, record, r.since(start))


def read_operation(r: Reader) -> Operation:
    start = r.at
    action = (read_item, read_licence, read_trace)[r.variant(3)](r)
    r.digest(), r.digest(), r.maybe(r.hash)  # commitment
    r.time()  # effective_from
    r.variant(4)  # grade
    r.text(64), r.text(32), r.time()  # provenance
    return Operation(*action, r.since(start))


def read_item(r: Reader):
    r.text(36), r.text(24), read_level(r)
    region = r.region()
    verb = r.variant(5)
    if verb in (0, 1):
        r.u32(), r.maybe(r.time)
    return "item", region if verb == 0 else None, None, []


def read_licence(r: Reader):
    r.text(160)
    verb = r.variant(10)
    if verb > 3:
        return "licence", None, None, []
    if verb > 0:
        r.text(160)  # supersedes
    kind, region = read_licence_facts(r)
    return "licence", region, kind, []


def read_licence_facts(r: Reader) -> tuple[str, int]:
    kind, region = r.text(32), r.region()
    r.time(), r.maybe(r.time)
    return kind, region


def read_trace(r: Reader):
    r.variant(5)
    r.maybe(lambda: r.text(256))
    r.time()
    r.maybe(lambda: r.text(128))
    lots = r.many(lambda: (r.text(256), read_part(r))[0], 13)
    r.maybe(r.hash)
    r.maybe(lambda: r.text(256))
    return "trace", None, None, lots


def read_part(r: Reader) -> int:
    return r.variant(7)


def read_level(r: Reader) -> int:
    return r.variant(6)
