"""The bytes of a proof: the two carriers and the encoding of everything inside, read strictly.

Every value has one spelling and this reader accepts no other, so the bytes read are the encoding of the value; hashes
are taken over them.
"""

import base64
import re
import struct
from dataclasses import dataclass

import crypto
import usage

FILE_BYTES_MAX = 4_194_304
CLAIMS_MAX = 1000
MAGIC = b"MINLIAN\0"
VERSIONS = (1, 2)
HOPS_MAX = 512
SIGNATURES_MAX = 512
LINKS_MAX = 16_384
WORK_MAX = 524_288
FAMILIES = ("item", "licence", "trace", "govern")
TIME_MAX = 253_370_764_800_000
BEGIN = b"-----BEGIN MINLIAN PROOF-----"
END = b"-----END MINLIAN PROOF-----"
LINE = 64
FRAME = b"MINLIAN1/"
FRAME_BYTES, FRAMES_TEXT_MAX = 990, 1 << 20
FRAME_PATTERN = re.compile(rb"MINLIAN1/([1-9][0-9]?)/([1-9][0-9]?)/([0-9A-F]{16})/([A-Z2-7]+)/([0-9A-F]{8})")


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
    version: int
    body: bytes
    seal_holds: bool


def open_file(data: bytes) -> File:
    """Finds the body in any carrier. The seal is judged by the caller, last."""
    if BEGIN.startswith(data) or FRAME.startswith(data):
        raise malformed()
    if data.startswith(FRAME):
        data = _unframe(data)
    elif data.startswith(BEGIN):
        data = _unarmour(data)
    return open_binary(data)


def open_binary(data: bytes) -> File:
    """The same of the binary carrier: what frames, armour and other files hold is one, and no other."""
    if MAGIC.startswith(data):
        raise malformed()
    if not data.startswith(MAGIC):
        raise Refused("V-FORMAT")
    if len(data) > FILE_BYTES_MAX or len(data) < 10:
        raise malformed()
    version = int.from_bytes(data[8:10], "little")
    if version not in VERSIONS:
        raise Refused("V-FORMAT")
    if len(data) < 18:
        raise malformed()
    seal = crypto.plain(data[:-8])[:8]
    return File(version, data[10:-8], seal == data[-8:])


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


def _unframe(text: bytes) -> bytes:
    """Puts frames together, in whatever order they came."""
    if len(text) > FRAMES_TEXT_MAX:
        raise malformed()
    parts: dict[int, bytes] = {}
    of = None
    for word in re.split(rb"[ \t\n\x0c\r]+", text):
        if not word:
            continue
        found = FRAME_PATTERN.fullmatch(word)
        if found is None or crypto.plain(word[:-8])[:4].hex().upper().encode() != found[5]:
            raise malformed()
        number, count = int(found[1]), int(found[2])
        part = _unbase32(found[4])
        if number > count or len(part) > FRAME_BYTES or (number < count and len(part) != FRAME_BYTES):
            raise malformed()
        if of not in (None, (count, found[3])) or parts.get(number, part) != part:
            raise malformed()
        of, parts[number] = (count, found[3]), part
    if len(parts) != of[0]:
        raise Refused("V-FRAMES")
    whole = b"".join(parts[number] for number in sorted(parts))
    if crypto.plain(whole)[:8].hex().upper().encode() != of[1]:
        raise malformed()
    return whole


def _unbase32(digits: bytes) -> bytes:
    try:
        part = base64.b32decode(digits + b"=" * (-len(digits) % 8))
    except ValueError:
        raise malformed() from None
    if base64.b32encode(part).rstrip(b"=") != digits:
        raise malformed()
    return part


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
    parent: bytes
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
    """What a role is held against: the family, if it needs one, and the scope the operation names, if it names one."""

    family: str | None
    region: int | None
    kind: str | None
    lots: list[tuple[str, int]]
    encoded: bytes
    batch: tuple[int, bytes] | None = None
    # The root over salted fields, if it commits to any.
    fields: bytes | None = None
    # Whether it is an event: of a batch and of a seed the lot is what the role must cover, and no more.
    event: bool = False


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
    part: int
    encoded: bytes


@dataclass
class State:
    subject: bytes
    kind: int
    id: str
    records: int
    head: bytes
    latest: int
    agency: "Agency | None"
    encoded: bytes


@dataclass
class StatusClaim:
    subject: bytes
    state: State | None
    siblings: list[bytes]
    other: tuple[bytes, bytes] | None
    history: list[Link] | None


@dataclass
class Seat:
    key: bytes
    encoded: bytes


@dataclass
class Hop:
    header: Header
    certificate: Certificate
    seats: list[Seat]


@dataclass
class SharedTransaction:
    header: Transaction
    signature: bytes
    height: int
    time: int
    nodes: list[bytes]


@dataclass
class SharedRecord:
    position: int
    transaction: int
    index: int
    operation: Operation


@dataclass
class RecordsClaim:
    transactions: list[SharedTransaction]
    records: list[SharedRecord]
    log_nodes: list[bytes]


@dataclass
class LotClaim:
    state: State
    siblings: list[bytes]
    history: list[Link]


@dataclass
class UpstreamClaim:
    lot: str
    lots: list[LotClaim]
    records: RecordsClaim


@dataclass
class ConsistencyClaim:
    header: Header
    certificate: Certificate
    path: list[bytes]


@dataclass
class ForkClaim:
    header: Header
    certificate: Certificate


@dataclass
class VotesClaim:
    """Two sayings: the domain and the encoding of each, which also is the order in which they must stand."""

    height: int
    round: int
    seat: int
    domain: str
    said: tuple[bytes, bytes]
    order: tuple[tuple, tuple]
    signatures: tuple[bytes, bytes]


@dataclass
class BlockClaim:
    pass


@dataclass
class Role:
    """A role as the state map keeps it: the family, and what its scope is made of."""

    family: str
    regions: list[int]
    prefixes: list[str]

    @property
    def weight(self) -> int:
        return max(len(self.regions) + len(self.prefixes), 1)


@dataclass
class Grant:
    number: int
    role: Role
    by: str | None
    start: int
    expires: int | None
    end: int | None


@dataclass
class Agency:
    """What the state map keeps of an agency: keys and suspensions as (…, first height, first height no more)."""

    parent: str | None
    keys: list[tuple[bytes, int, int | None]]
    grants: list[Grant]
    suspensions: list[tuple[int, int | None]]


@dataclass
class AgencyState:
    state: State
    siblings: list[bytes]


@dataclass
class AuthorityClaim:
    agency: str
    key: bytes | None
    at: int
    line: list[AgencyState]


@dataclass
class Proof:
    chain: bytes
    handover: list[Hop]
    header: Header
    certificate: Certificate
    claims: list


def read_proof(body: bytes, version: int) -> Proof:
    r = Reader(body)
    chain = r.hash()
    handover = r.many(lambda: read_hop(r), 500) if version > 1 else []
    header = read_header(r)
    certificate = read_certificate(r)
    kinds = READERS if version > 1 else READERS[:2]
    claims = r.many(lambda: kinds[r.variant(len(kinds))](r), 4)
    if r.at != len(body) or not 1 <= len(claims) <= CLAIMS_MAX:
        raise malformed()
    proof = Proof(chain, handover, header, certificate, claims)
    if len(handover) > HOPS_MAX or links(proof) > LINKS_MAX or signatures(proof) > SIGNATURES_MAX:
        raise malformed()
    if work(proof) > WORK_MAX:
        raise malformed()
    return proof


def batches(proof: Proof):
    for claim in proof.claims:
        match claim:
            case RecordsClaim():
                yield claim
            case UpstreamClaim():
                yield claim.records


def recorded(proof: Proof):
    """Every record in the file: the transaction, the operation, the height and the time it is said to be of."""
    for claim in proof.claims:
        if isinstance(claim, RecordClaim):
            yield claim.transaction, claim.operation, claim.entry.height, claim.entry.time
    for batch in batches(proof):
        for r in batch.records:
            if r.transaction < len(batch.transactions):
                shared = batch.transactions[r.transaction]
                yield shared.header, r.operation, shared.height, shared.time


def work(proof: Proof) -> int:
    """How much the authority in the file weighs."""
    lines: dict[str, tuple[int, int]] = {}
    total = 0
    for claim in proof.claims:
        if isinstance(claim, AuthorityClaim):
            weighed = weigh(claim)
            total += weighed[1]
            lines.setdefault(claim.agency, weighed)
    if not lines:
        return 0
    seen = set()
    for transaction, operation, height, time in recorded(proof):
        if transaction.agency not in lines:
            continue
        own, line = lines[transaction.agency]
        total += own * max(len(operation.lots), 1)
        if (transaction.agency, height, time) not in seen:
            seen.add((transaction.agency, height, time))
            total += line
    return total


def weigh(claim: AuthorityClaim) -> tuple[int, int]:
    """The weight of the first agency, and of the line."""
    own, line, above = 0, 0, 1
    for place in reversed(claim.line):
        agency = place.state.agency
        own, delegated = 1, 0
        if agency is not None:
            own = sum(grant.role.weight for grant in agency.grants) + len(agency.keys) + len(agency.suspensions)
            delegated = sum(grant.role.weight for grant in agency.grants if grant.by is not None)
        line += own + delegated * above
        above = own
    return own, line


def links(proof: Proof) -> int:
    """How many links of histories the file lists."""
    count = 0
    for claim in proof.claims:
        match claim:
            case StatusClaim():
                count += len(claim.history or ())
            case UpstreamClaim():
                count += sum(len(lot.history) for lot in claim.lots)
    return count


def signatures(proof: Proof) -> int:
    """How many signatures the file asks to be verified."""
    count = len(proof.certificate.signatures) + sum(len(hop.certificate.signatures) for hop in proof.handover)
    before = None
    for claim in proof.claims:
        match claim:
            case RecordClaim():
                signed = (claim.transaction.encoded, claim.signature)
                count += signed != before
                before = signed
            case RecordsClaim():
                count += len(claim.transactions)
            case UpstreamClaim():
                count += len(claim.records.transactions)
            case ConsistencyClaim() | ForkClaim():
                count += len(claim.certificate.signatures)
            case VotesClaim():
                count += 2
    return count


def read_hop(r: Reader) -> Hop:
    return Hop(read_header(r), read_certificate(r), r.many(lambda: read_seat(r), 60))


def read_seat(r: Reader) -> Seat:
    start = r.at
    r.code(), r.text(96)
    key = r.key()
    return Seat(key, r.since(start))


def read_header(r: Reader) -> Header:
    start = r.at
    version, chain, height, time = r.u16(), r.hash(), r.u64(), r.time()
    r.u16()  # proposer
    parent = r.hash()
    r.hash()  # payload
    log_size, log_root, state_root, committee, following = r.u64(), r.hash(), r.hash(), r.hash(), r.hash()
    return Header(
        version, chain, height, time, parent, log_size, log_root, state_root, committee, following, r.since(start)
    )


def read_certificate(r: Reader) -> Certificate:
    return Certificate(r.u64(), r.u32(), r.hash(), r.many(lambda: (r.u16(), r.signature()), 67))


def read_records_claim(r: Reader) -> RecordsClaim:
    return RecordsClaim(
        r.many(lambda: read_shared_transaction(r), 200),
        r.many(lambda: read_shared_record(r), 100),
        r.many(r.hash, 32),
    )


def read_shared_transaction(r: Reader) -> SharedTransaction:
    return SharedTransaction(read_transaction(r), r.signature(), r.u64(), r.time(), r.many(r.hash, 32))


def read_shared_record(r: Reader) -> SharedRecord:
    return SharedRecord(r.u64(), r.u32(), r.u32(), read_operation(r))


def read_upstream_claim(r: Reader) -> UpstreamClaim:
    return UpstreamClaim(r.text(256), r.many(lambda: read_lot_claim(r), 100), read_records_claim(r))


def read_lot_claim(r: Reader) -> LotClaim:
    return LotClaim(read_state(r), r.many(r.hash, 32), r.many(lambda: read_link(r), 44))


def read_consistency_claim(r: Reader) -> ConsistencyClaim:
    return ConsistencyClaim(read_header(r), read_certificate(r), r.many(r.hash, 32))


def read_fork_claim(r: Reader) -> ForkClaim:
    return ForkClaim(read_header(r), read_certificate(r))


def read_votes_claim(r: Reader) -> VotesClaim:
    height, round_, seat = r.u64(), r.u32(), r.u16()
    place = U64.pack(height) + U32.pack(round_)

    def maybe(value: bytes | None) -> bytes:
        return b"\0" if value is None else b"\1" + value

    def order(value) -> tuple:
        """None before some."""
        return (0,) if value is None else (1, value)

    if r.variant(2) == 0:
        domain = ("minlian/v1/prevote", "minlian/v1/precommit")[r.variant(2)]
        blocks = r.maybe(r.hash), r.maybe(r.hash)
        said = tuple(place + maybe(block) for block in blocks)
        orders = tuple(order(block) for block in blocks)
    else:
        domain = "minlian/v1/proposal"
        pairs = [(r.hash(), r.maybe(r.u32)) for _ in range(2)]
        said = tuple(place + block + maybe(None if valid is None else U32.pack(valid)) for block, valid in pairs)
        orders = tuple((block, order(valid)) for block, valid in pairs)
    return VotesClaim(height, round_, seat, domain, said, orders, (r.signature(), r.signature()))


def read_authority_claim(r: Reader) -> AuthorityClaim:
    return AuthorityClaim(
        r.code(),
        r.maybe(r.key),
        r.u64(),
        r.many(lambda: AgencyState(read_state(r), r.many(r.hash, 32)), 100),
    )


def read_block_claim(_: Reader) -> BlockClaim:
    return BlockClaim()


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
    return read_named(r)[0]


def read_named(r: Reader) -> tuple[bytes, int, str]:
    start = r.at
    kind, name = r.variant(14), r.text(256)
    return r.since(start), kind, name


def read_state(r: Reader) -> State:
    start = r.at
    subject, kind, name = read_named(r)
    r.variant(11), r.code(), r.u32()  # status, owner, version
    records, head, latest = r.u64(), r.hash(), r.u64()
    r.time()  # effective_from
    agency = read_facts(r)
    return State(subject, kind, name, records, head, latest, agency, r.since(start))


def read_facts(r: Reader) -> Agency | None:
    """Only what is said of agencies is kept."""
    kind = r.variant(14)
    if kind == 0:
        r.text(24), read_level(r), r.region(), r.maybe(r.time)
    elif kind == 1:
        read_level(r), r.text(36)
    elif kind == 2:
        read_licence_facts(r), r.maybe(lambda: r.text(160))
    elif kind == 4:
        return read_agency_facts(r)
    elif kind == 5:
        read_change(r), r.many(r.code, 18), r.u64()  # approvals, closes
    elif kind == 6:
        read_network_facts(r)
    elif kind == 7:
        r.many(lambda: r.text(96), 9)  # uniform elements
    elif kind == 8:
        r.region(), r.hash(), r.u32()  # a list of items
    elif kind == 9:
        r.u64()  # lines
    elif kind == 10:
        r.text(256)  # lot
    elif kind == 11:
        usage.read_terms(r), r.u32()  # uses
    elif kind == 13:
        r.text(96), r.u64()  # title, uses
    return None


def read_agency_facts(r: Reader) -> Agency:
    r.text(96), r.region(), read_level(r)
    return Agency(
        r.maybe(r.code),
        r.many(lambda: (r.key(), r.u64(), r.maybe(r.u64)), 42),
        r.many(lambda: read_grant(r), 19),
        r.many(lambda: (r.u64(), r.maybe(r.u64)), 9),
    )


def read_grant(r: Reader) -> Grant:
    return Grant(r.u32(), read_role(r), r.maybe(r.code), r.u64(), r.maybe(r.time), r.maybe(r.u64))


def read_network_facts(r: Reader) -> None:
    read_members(r), r.maybe(lambda: (r.u64(), read_members(r)))
    read_numbers(r, 3), read_numbers(r, 6), read_numbers(r, 3)  # limits, timing, governance


def read_members(r: Reader) -> None:
    r.many(lambda: (read_seat(r), r.key()), 93)


def read_numbers(r: Reader, count: int) -> None:
    for _ in range(count):
        r.u32()


def read_link(r: Reader) -> Link:
    start = r.at
    position, record = r.u64(), r.hash()
    part = read_part(r)
    return Link(position, record, part, r.since(start))


def read_operation(r: Reader) -> Operation:
    start = r.at
    kind = r.variant(8)
    batch = None
    if kind == 5:
        action, batch = read_batch(r)
    else:
        readers = (read_item, read_licence, read_trace, read_govern, read_list, None, read_seed, usage.read)
        action = readers[kind](r)
    r.digest(), r.digest()  # document, content
    fields = r.maybe(r.hash)
    r.time()  # effective_from
    r.variant(4)  # grade
    r.text(64), r.text(32), r.time()  # provenance
    return Operation(*action, r.since(start), batch, fields, kind == 2)


def read_item(r: Reader):
    r.text(36), r.text(24), read_level(r)
    region = r.region()
    verb = r.variant(10)
    if verb in (0, 1):
        r.u32(), r.maybe(r.time)
    elif verb in (5, 6, 7):
        r.u32(), r.maybe(r.time), read_elements(r)
    elif verb == 8:
        r.many(lambda: read_successor(r), 35)
    elif verb == 9:
        r.code(), r.many(lambda: r.text(32), 9), r.maybe(r.time)
    if verb == 7:
        r.many(lambda: (r.text(36), r.text(24)), 18)
    # What is new in the catalogue needs a role over its region.
    return "item", region if verb in (0, 5, 7, 8) else None, None, []


def read_elements(r: Reader) -> None:
    r.many(lambda: (r.text(96), r.hash()), 41)


def read_successor(r: Reader) -> None:
    r.text(36), r.text(24), read_level(r), r.region(), r.maybe(r.time), read_elements(r)


def read_list(r: Reader):
    r.text(96)
    region = r.region()
    verb = r.variant(3)
    if verb == 1:
        r.u32()
    if verb < 2:
        r.many(lambda: r.text(36), 9)
    return "item", region if verb == 0 else None, None, []


def read_licence(r: Reader):
    r.text(160)
    verb = r.variant(12)
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
    lots = r.many(lambda: (r.text(256), read_part(r)), 13)
    r.maybe(r.hash)
    r.maybe(lambda: r.text(256))
    return "trace", None, None, lots


def read_batch(r: Reader):
    series = r.text(256)
    batch = r.u64(), r.hash()
    return ("trace", None, None, [(series, 0)]), batch


def read_seed(r: Reader):
    r.text(160), r.text(20)  # permit, unit
    return "trace", None, None, [(r.text(256), 0)]


def read_govern(r: Reader):
    verb = r.variant(6)
    if verb == 0:
        read_change(r)
    elif verb in (1, 2):
        r.hash(), read_target(r)
    elif verb == 3:
        r.code(), read_role(r), r.maybe(r.time)
    elif verb == 4:
        r.code(), r.u32()
    else:
        r.key(), read_possessed(r)
    # Proposing and approving need a role; what an agency does with its own authority needs none.
    return "govern" if verb in (0, 1) else None, None, None, []


def read_target(r: Reader) -> None:
    if r.variant(3) == 1:
        r.code()


def read_change(r: Reader) -> None:
    change = r.variant(13)
    if change == 0:
        r.code(), r.text(96), r.region(), read_level(r), r.maybe(r.code)
        r.many(lambda: read_possessed(r), 98)
    elif change in (1, 2, 3):
        r.code()
    elif change == 4:
        r.code(), read_possessed(r)
    elif change == 5:
        r.code(), r.key()
    elif change == 6:
        r.code(), read_role(r), r.maybe(r.time)
    elif change == 7:
        r.code(), r.u32()
    elif change == 8:
        r.many(lambda: (r.code(), read_possessed(r), read_possessed(r)), 214)
        r.many(r.key, 33)
    elif change == 12:
        r.many(lambda: r.text(96), 9)
    else:
        read_numbers(r, (3, 6, 3)[change - 9])


def read_possessed(r: Reader) -> None:
    r.key(), r.signature()


def read_role(r: Reader) -> Role:
    family = FAMILIES[r.variant(4)]
    regions, prefixes = [], []
    if family == "licence":
        prefixes = r.many(lambda: r.text(32), 9)
    if family == "trace":
        prefixes = r.many(lambda: r.text(256), 9)
    if family in ("item", "licence"):
        regions = r.many(r.region, 4)
    return Role(family, regions, prefixes)


def read_part(r: Reader) -> int:
    return r.variant(11)


def read_level(r: Reader) -> int:
    return r.variant(6)


READERS = (
    read_record_claim,
    read_status_claim,
    read_records_claim,
    read_upstream_claim,
    read_consistency_claim,
    read_fork_claim,
    read_votes_claim,
    read_block_claim,
    read_authority_claim,
)
