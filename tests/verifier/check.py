"""The check of a proof against a trust root, step by step as FORMAT.md lists them."""

from dataclasses import dataclass

import codec
import crypto
from codec import U32, U64, Operation, Proof, RecordClaim, StatusClaim
from trust import Role, TrustRoot

EMPTY = bytes(32)
UNDECIDED = ("V-FORMAT", "V-MALFORMED")


@dataclass
class Verdict:
    result: str
    code: str | None

    @classmethod
    def of(cls, code: str | None) -> "Verdict":
        if code is None:
            return cls("proven", None)
        return cls("cannot-check" if code in UNDECIDED else "not-proven", code)


def check(data: bytes, root: TrustRoot) -> Verdict:
    """Judges what was handed in. Never raises for anything that is in `data`."""
    try:
        file = codec.open_file(data)
        proof = codec.read_proof(file.body)
    except codec.Refused as e:
        return Verdict.of(e.code)
    reasons = [code for code in steps(proof, root) if code is not None]
    if not file.seal_holds:
        reasons.append("V-SEAL")
    reasons.sort(key=lambda code: code in UNDECIDED)  # Stable: a definite reason before an undecided one.
    return Verdict.of(reasons[0] if reasons else None)


def steps(proof: Proof, root: TrustRoot):
    """The outcome of each step: its first failure, or none."""
    same_chain = proof.chain == proof.header.chain == root.chain
    trusted = trust(proof, root)
    yield trusted
    if trusted is None:
        yield finality(proof, root)
    claimed: dict[int, set[bytes]] = {}
    for claim in proof.claims:
        if isinstance(claim, RecordClaim):
            claimed.setdefault(claim.entry.position, set()).add(claim.entry.record)
    for claim in proof.claims:
        if isinstance(claim, RecordClaim):
            yield record(claim, proof)
            if same_chain:
                yield authority(claim, root)
            yield inclusion(claim, proof)
        else:
            yield state(claim, proof)
            yield history(claim, proof, claimed)


def trust(proof: Proof, root: TrustRoot) -> str | None:
    if proof.chain != root.chain or proof.header.chain != root.chain:
        return "V-CHAIN"
    if proof.header.committee != root.committee_digest or proof.header.next_committee != root.committee_digest:
        return "V-TRUST-ROOT"
    return None


def finality(proof: Proof, root: TrustRoot) -> str | None:
    header, certificate = proof.header, proof.certificate
    block = crypto.derive("minlian v1 block", header.encoded)
    if certificate.block != block or certificate.height != header.height:
        return "V-HEADER"
    if header.version != 1:
        return "V-FORMAT"
    seats = [seat for seat, _ in certificate.signatures]
    ascend = all(a < b for a, b in zip(seats, seats[1:]))
    if not ascend or any(seat >= len(root.seats) for seat in seats) or len(seats) < root.quorum:
        return "V-QUORUM"
    body = U64.pack(header.height) + U32.pack(certificate.round) + b"\1" + block
    message = signed("minlian/v1/precommit", root.chain, body)
    if not all(crypto.verify(root.seats[seat], s, message) for seat, s in certificate.signatures):
        return "V-SIGNATURE"
    return None


def record(claim: RecordClaim, proof: Proof) -> str | None:
    transaction, entry, operation = claim.transaction, claim.entry, claim.operation
    if transaction.chain != proof.chain:
        return "V-CHAIN"
    message = signed("minlian/v1/transaction", transaction.chain, transaction.encoded)
    if not crypto.verify(transaction.key, claim.signature, message):
        return "V-SIGNATURE"
    if transaction.version != 1:
        return "V-FORMAT"
    if entry.index >= transaction.count:
        return "V-ENTRY"
    if len(claim.operation_path) != path_length(entry.index, transaction.count):
        return "V-PATH-LENGTH"
    leaf = crypto.derive("minlian v1 list leaf", b"\0" + operation.encoded)
    if fold(leaf, claim.operation_path, entry.index, transaction.count, list_node) != transaction.operations:
        return "V-OPERATION"
    tx = crypto.derive("minlian v1 transaction", transaction.encoded)
    record_id = crypto.derive("minlian v1 record", transaction.agency.encode() + operation.encoded)
    if entry.tx != tx or entry.record != record_id:
        return "V-ENTRY"
    return None


def authority(claim: RecordClaim, root: TrustRoot) -> str | None:
    agency = root.agencies.get(claim.transaction.agency)
    if agency is None or claim.transaction.key not in agency.keys:
        return "V-SUBMITTER"
    roles = [role for role in agency.roles if role.family == claim.operation.family]
    return None if roles and covered(roles, claim.operation) else "V-AUTHORITY"


def covered(roles: list[Role], operation: Operation) -> bool:
    """Whether roles of the operation's family cover it, as far as it says itself what it is about."""
    if operation.family == "trace":
        prefixes = [prefix for role in roles for prefix in role.prefixes]
        return all(any(lot.startswith(prefix) for prefix in prefixes) for lot in operation.lots)
    if operation.region is None:
        return True
    return any(
        any(contains(region, operation.region) for region in role.regions)
        and (operation.kind is None or any(operation.kind.startswith(prefix) for prefix in role.prefixes))
        for role in roles
    )


def contains(outer: int, inner: int) -> bool:
    """A code that ends in 0000 is a province, in 00 a city; both contain themselves and what is inside them."""
    if outer % 10_000 == 0:
        return inner // 10_000 == outer // 10_000
    if outer % 100 == 0:
        return inner // 100 == outer // 100
    return inner == outer


def inclusion(claim: RecordClaim, proof: Proof) -> str | None:
    entry, header = claim.entry, proof.header
    if entry.position >= header.log_size:
        return "V-ENTRY"
    if len(claim.log_path) != path_length(entry.position, header.log_size):
        return "V-PATH-LENGTH"
    leaf = crypto.sha256(b"\0" + entry.encoded)
    if fold(leaf, claim.log_path, entry.position, header.log_size, log_node) != header.log_root:
        return "V-PATH-MISMATCH"
    if entry.height > header.height or entry.height > claim.transaction.valid_until:
        return "V-ENTRY"
    if compare(entry.time, header.time) != compare(entry.height, header.height):
        return "V-ENTRY"
    return None


def state(claim: StatusClaim, proof: Proof) -> str | None:
    if len(claim.siblings) > 256:
        return "V-PATH-LENGTH"
    key = crypto.derive("minlian v1 subject key", claim.subject)
    if claim.state is not None:
        if claim.other is not None or claim.state.subject != claim.subject:
            return "V-STATE"
        value = crypto.derive("minlian v1 subject value", claim.state.encoded)
        root = fold_map(map_leaf(key, value), claim.siblings, key)
        return None if root == proof.header.state_root else "V-STATE"
    start = EMPTY
    if claim.other is not None:
        other, value = claim.other
        if other == key or not share_prefix(other, key, len(claim.siblings)):
            return "V-ABSENCE"
        start = map_leaf(other, value)
    return None if fold_map(start, claim.siblings, key) == proof.header.state_root else "V-ABSENCE"


def history(claim: StatusClaim, proof: Proof, claimed: dict[int, set[bytes]]) -> str | None:
    links = claim.history
    if links is None:
        return None
    if claim.state is None or len(links) != claim.state.records:
        return "V-HISTORY"
    head, last = EMPTY, None
    for link in links:
        if last is not None and link.position < last:
            return "V-HISTORY"
        if link.position >= proof.header.log_size:
            return "V-HISTORY"
        if any(record_id != link.record for record_id in claimed.get(link.position, ())):
            return "V-HISTORY"
        last = link.position
        head = crypto.derive("minlian v1 history", head + link.encoded)
    if head != claim.state.head or last != claim.state.latest:
        return "V-HISTORY"
    return None


# Trees.


def path_length(index: int, count: int) -> int:
    """How long the path of a leaf is, for `index` below `count`: RFC 9162 section 2.1.3.2, without the hashes."""
    length, fn, sn = 0, index, count - 1
    while sn > 0:
        if fn & 1 or fn < sn:
            length += 1
        fn, sn = fn >> 1, sn >> 1
    return length


def fold(leaf: bytes, path: list[bytes], index: int, count: int, node) -> bytes:
    """The root that a path of the right length leads to."""
    at, fn, sn = leaf, index, count - 1
    for sibling in path:
        while not fn & 1 and fn == sn:
            fn, sn = fn >> 1, sn >> 1
        at = node(sibling, at) if fn & 1 else node(at, sibling)
        fn, sn = fn >> 1, sn >> 1
    return at


def list_node(left: bytes, right: bytes) -> bytes:
    return crypto.derive("minlian v1 list node", left + right)


def log_node(left: bytes, right: bytes) -> bytes:
    return crypto.sha256(b"\1" + left + right)


def map_leaf(key: bytes, value: bytes) -> bytes:
    return crypto.derive("minlian v1 map leaf", key + value)


def fold_map(at: bytes, siblings: list[bytes], key: bytes) -> bytes:
    for depth in reversed(range(len(siblings))):
        left, right = (siblings[depth], at) if bit(key, depth) else (at, siblings[depth])
        at = crypto.derive("minlian v1 map node", left + right)
    return at


def bit(key: bytes, depth: int) -> int:
    return key[depth // 8] >> (7 - depth % 8) & 1


def share_prefix(a: bytes, b: bytes, bits: int) -> bool:
    return int.from_bytes(a) >> (256 - bits) == int.from_bytes(b) >> (256 - bits)


def compare(a: int, b: int) -> int:
    return (a > b) - (a < b)


def signed(domain: str, chain: bytes, body: bytes) -> bytes:
    return domain.encode() + b"\0" + chain + body
