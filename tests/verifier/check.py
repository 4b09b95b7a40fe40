"""The check of a proof against a trust root, step by step as FORMAT.md lists them."""

from bisect import bisect_left
from dataclasses import dataclass

import codec
import crypto
from codec import (
    U32,
    U64,
    AuthorityClaim,
    Certificate,
    ConsistencyClaim,
    ForkClaim,
    Header,
    Operation,
    Proof,
    RecordClaim,
    RecordsClaim,
    Seat,
    StatusClaim,
    UpstreamClaim,
    VotesClaim,
)
from trust import TrustRoot, Unusable

EMPTY = bytes(32)
UNDECIDED = ("V-FORMAT", "V-MALFORMED", "V-FRAMES")
BATCH_MAX, DEPTH_MAX, LINE_MAX = 1000, 64, 16
LOT, INPUT, OUTPUT = 3, 3, 4
AGENCY, NETWORK = 4, 6


@dataclass
class Verdict:
    result: str
    code: str | None

    @classmethod
    def of(cls, code: str | None) -> "Verdict":
        if code is None:
            return cls("proven", None)
        return cls("cannot-check" if code in UNDECIDED else "not-proven", code)


def check(data: bytes, root: TrustRoot, read=codec.open_file) -> Verdict:
    """Judges what was handed in. Never raises for anything that is in `data`."""
    try:
        file = read(data)
        proof = codec.read_proof(file.body, file.version)
    except codec.Refused as e:
        return Verdict.of(e.code)
    reasons = [code for code in steps(proof, root) if code is not None]
    if not file.seal_holds:
        reasons.append("V-SEAL")
    reasons.sort(key=lambda code: code in UNDECIDED)  # Stable: a definite reason before an undecided one.
    return Verdict.of(reasons[0] if reasons else None)


class Refused(Exception):
    """A step that does not hold, with its code."""

    def __init__(self, code: str):
        super().__init__(code)
        self.code = code


@dataclass
class Reign:
    """A committee, and the first height it certifies."""

    start: int
    digest: bytes
    seats: list[bytes]

    @property
    def quorum(self) -> int:
        return 2 * len(self.seats) // 3 + 1


def saved_block(root: TrustRoot) -> Header | None:
    return root.saved.header if root.saved else None


def reign_at(reigns: list[Reign], height: int) -> Reign:
    return [reigns[0], *(r for r in reigns[1:] if r.start <= height)][-1]


def reigns_of(root: TrustRoot) -> list[Reign]:
    """Every committee that the trust root knows of."""
    reigns = [Reign(1, root.committee_digest, root.seats)]
    for hop in root.hops:
        reigns.append(Reign(hop.header.height + 1, hop.header.next_committee, [seat.key for seat in hop.seats]))
    return reigns


def open_root(data: bytes) -> TrustRoot:
    """A trust root: a genesis and, perhaps, after it the armoured proof of a block that follows from it."""
    import trust

    at = 0 if data.startswith(codec.BEGIN) else data.find(b"\n" + codec.BEGIN) + 1
    if at == 0 and not data.startswith(codec.BEGIN):
        return trust.load(data)
    root = trust.load(data[:at])
    try:
        file = codec.open_file(data[at:])
        proof = codec.read_proof(file.body, file.version)
    except codec.Refused as e:
        raise Unusable(f"what is saved after the genesis cannot be read: {e.code}") from None
    if not file.seal_holds or [type(claim) for claim in proof.claims] != [codec.BlockClaim]:
        raise Unusable("what is saved after the genesis is not the proof of a block")
    for code in steps(proof, root):
        if code is not None:
            raise Unusable(f"what is saved after the genesis does not follow from it: {code}")
    root.saved, root.hops = proof, proof.handover
    return root


def steps(proof: Proof, root: TrustRoot):
    """The outcome of each step: its first failure, or none. Trust, finality and the saved block come first."""
    same_chain = proof.chain == root.chain
    reigns = None
    try:
        reigns = trust(proof, root)
    except Refused as e:
        yield e.code
    if reigns is not None:
        final = judged(certified, proof.header, proof.certificate, reign_at(reigns, proof.header.height), proof)
        yield final
        if root.saved and final is None:
            yield judged(fits_saved, proof.header, root)
    claimed: dict[int, set[bytes]] = {}
    for claim in proof.claims:
        if isinstance(claim, RecordClaim):
            claimed.setdefault(claim.entry.position, set()).add(claim.entry.record)
        for position, name in names(batch_of(claim)):
            claimed.setdefault(position, set()).add(name)
    authorities = Authorities(proof, root)
    for claim in proof.claims:
        batch = batch_of(claim)
        if isinstance(claim, RecordClaim):
            yield record(claim, proof)
            if same_chain:
                yield authorities.of_record(claim.transaction, claim.operation, claim.entry.height)
            yield inclusion(claim, proof)
        elif isinstance(claim, StatusClaim):
            yield state(claim, proof)
            yield history(claim.state, claim.history, proof, claimed)
        elif batch is not None:
            shape = judged(shaped, batch)
            yield shape or judged(signed_batch, batch, proof)
            if shape is None and same_chain:
                shared = ((batch.transactions[r.transaction], r.operation) for r in batch.records)
                found = (authorities.of_record(tx.header, operation, tx.height) for tx, operation in shared)
                yield next((code for code in found if code), None)
            if shape is None:
                yield judged(included_batch, batch, proof)
            if isinstance(claim, UpstreamClaim):
                yield next((code for lot in claim.lots if (code := lot_state(lot, proof))), None)
                found = (history(lot.state, lot.history, proof, claimed) for lot in claim.lots)
                yield next((code for code in found if code), None)
                if shape is None:
                    yield judged(upstream, claim)
        elif isinstance(claim, AuthorityClaim):
            yield next((code for place in claim.line if (code := lot_state(place, proof))), None)
            if same_chain:
                yield judged(authorities.held, claim)
        elif reigns is not None and isinstance(claim, ConsistencyClaim):
            yield judged(consistency, claim, proof, reigns, root)
        elif reigns is not None and isinstance(claim, ForkClaim):
            yield judged(fork, claim, proof, reigns)
        elif reigns is not None and isinstance(claim, VotesClaim):
            yield judged(votes, claim, proof, reigns)


def judged(step, *given) -> str | None:
    try:
        step(*given)
    except Refused as e:
        return e.code
    return None


def trust(proof: Proof, root: TrustRoot) -> list[Reign]:
    """Follows the handover; who sat in the committee when."""
    if proof.chain != root.chain or proof.header.chain != root.chain:
        raise Refused("V-CHAIN")
    reigns, saved = reigns_of(root), saved_block(root)
    limits = [hop.header.height for hop in proof.handover[1:]] + [proof.header.height]
    for hop, limit in zip(proof.handover, limits):
        header = hop.header
        if header.chain != root.chain:
            raise Refused("V-CHAIN")
        if header.height >= min(limit, proof.header.height):
            raise Refused("V-HANDOVER")
        if header.next_committee == header.committee:
            raise Refused("V-HANDOVER")
        if committee_digest(hop.seats) != header.next_committee:
            raise Refused("V-HANDOVER")
        if any(r.start <= header.height and r.digest == header.next_committee for r in reigns):
            raise Refused("V-HANDOVER")
        reign = reign_at(reigns, header.height)
        if header.committee != reign.digest:
            raise Refused("V-TRUST-ROOT")
        if len(hop.certificate.signatures) > reign.quorum:
            raise Refused("V-HANDOVER")
        certified(header, hop.certificate, reign, proof)
        fits_saved(header, root)
        if saved is None or header.height >= saved.height:
            seats = [seat.key for seat in hop.seats]
            reigns.append(Reign(header.height + 1, header.next_committee, seats))
    if proof.header.committee != reign_at(reigns, proof.header.height).digest:
        raise Refused("V-TRUST-ROOT")
    return reigns


def committee_digest(seats: list[Seat]) -> bytes:
    keys = [seat.key for seat in seats]
    if not 4 <= len(seats) <= 128 or len(set(keys)) != len(keys):
        raise Refused("V-HANDOVER")
    encoded = U64.pack(len(seats)) + b"".join(seat.encoded for seat in seats)
    return crypto.derive("minlian v1 committee", encoded)


def certified(header: Header, certificate: Certificate, reign: Reign, proof: Proof) -> None:
    block = block_id(header)
    if certificate.block != block or certificate.height != header.height:
        raise Refused("V-HEADER")
    if header.version != 1:
        raise Refused("V-FORMAT")
    seats = [seat for seat, _ in certificate.signatures]
    ascend = all(a < b for a, b in zip(seats, seats[1:]))
    if not ascend or any(seat >= len(reign.seats) for seat in seats) or len(seats) < reign.quorum:
        raise Refused("V-QUORUM")
    body = U64.pack(header.height) + U32.pack(certificate.round) + b"\1" + block
    message = signed("minlian/v1/precommit", proof.chain, body)
    if not all(crypto.verify(reign.seats[seat], s, message) for seat, s in certificate.signatures):
        raise Refused("V-SIGNATURE")


def block_id(header: Header) -> bytes:
    return crypto.derive("minlian v1 block", header.encoded)


def fits_saved(header: Header, root: TrustRoot) -> None:
    """A certified block, held against all that the trust root saved."""
    if root.saved is None:
        return
    for known in [hop.header for hop in root.hops] + [root.saved.header]:
        beside(header, known)
    if header.height < root.saved.header.height:
        if reign_at(reigns_of(root), header.height + 1).digest != header.next_committee:
            raise Refused("V-FORK")


def beside(header: Header, saved: Header) -> None:
    """Two certified blocks of one chain, held against one another."""
    if header.height == saved.height:
        if header.encoded != saved.encoded:
            raise Refused("V-FORK")
        return
    older, newer = sorted((header, saved), key=lambda h: h.height)
    if older.time >= newer.time or older.log_size > newer.log_size:
        raise Refused("V-FORK")
    if older.log_size == newer.log_size and older.log_root != newer.log_root:
        raise Refused("V-FORK")
    if newer.height == older.height + 1:
        if newer.parent != block_id(older) or newer.committee != older.next_committee:
            raise Refused("V-FORK")


def consistency(claim: ConsistencyClaim, proof: Proof, reigns: list[Reign], root: TrustRoot) -> None:
    old, new = claim.header, proof.header
    if old.chain != proof.chain:
        raise Refused("V-CHAIN")
    if old.height >= new.height or old.time >= new.time or old.log_size > new.log_size:
        raise Refused("V-CONSISTENCY")
    reign = reign_at(reigns, old.height)
    if old.committee != reign.digest:
        raise Refused("V-TRUST-ROOT")
    certified(old, claim.certificate, reign, proof)
    fits_saved(old, root)
    grown(old.log_size, old.log_root, new.log_size, new.log_root, claim.path)
    if reign_at(reigns, old.height + 1).digest != old.next_committee:
        raise Refused("V-CONSISTENCY")
    if new.height == old.height + 1 and new.parent != block_id(old):
        raise Refused("V-CONSISTENCY")


def grown(old: int, old_root: bytes, new: int, new_root: bytes, path: list[bytes]) -> None:
    """RFC 9162 section 2.1.4.2, with the length asked first."""
    if len(path) != consistency_length(old, new):
        raise Refused("V-PATH-LENGTH")
    if old == 0:
        if old_root != crypto.sha256(b"") or (new == 0 and new_root != old_root):
            raise Refused("V-CONSISTENCY")
        return
    if old == new:
        if old_root != new_root:
            raise Refused("V-CONSISTENCY")
        return
    path = list(path)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if fn & 1 or fn == sn:
            fr, sr = log_node(c, fr), log_node(c, sr)
            while fn & 1 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = log_node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    if fr != old_root or sr != new_root:
        raise Refused("V-CONSISTENCY")


def consistency_length(old: int, new: int) -> int:
    """How many nodes RFC 6962 section 2.1.2 lists."""
    if old in (0, new):
        return 0
    length, whole = 0, True
    while old != new:
        half = 1 << (new - 1).bit_length() - 1
        length += 1
        if old <= half:
            new = half
        else:
            old, new, whole = old - half, new - half, False
    return length + (not whole)


def fork(claim: ForkClaim, proof: Proof, reigns: list[Reign]) -> None:
    if claim.header.chain != proof.chain:
        raise Refused("V-CHAIN")
    if claim.header.height != proof.header.height or claim.header.encoded == proof.header.encoded:
        raise Refused("V-EQUIVOCATION")
    reign = reign_at(reigns, claim.header.height)
    if claim.header.committee != reign.digest:
        raise Refused("V-TRUST-ROOT")
    certified(claim.header, claim.certificate, reign, proof)


def votes(claim: VotesClaim, proof: Proof, reigns: list[Reign]) -> None:
    if claim.order[0] >= claim.order[1] or claim.height > proof.header.height:
        raise Refused("V-EQUIVOCATION")
    seats = reign_at(reigns, claim.height).seats
    if claim.seat >= len(seats):
        raise Refused("V-EQUIVOCATION")
    for said, signature in zip(claim.said, claim.signatures):
        if not crypto.verify(seats[claim.seat], signature, signed(claim.domain, proof.chain, said)):
            raise Refused("V-SIGNATURE")


# Batches and upstreams.


def batch_of(claim) -> RecordsClaim | None:
    if isinstance(claim, UpstreamClaim):
        return claim.records
    return claim if isinstance(claim, RecordsClaim) else None


def names(batch: RecordsClaim | None):
    """Position and name of each record whose transaction is there."""
    for r in batch.records if batch else ():
        if r.transaction < len(batch.transactions):
            yield r.position, record_id(batch.transactions[r.transaction].header, r.operation)


def record_id(transaction, operation: Operation) -> bytes:
    return crypto.derive("minlian v1 record", transaction.agency.encode() + operation.encoded)


def shaped(batch: RecordsClaim) -> None:
    if not 1 <= len(batch.records) <= BATCH_MAX:
        raise Refused("V-ENTRY")
    last: dict[int, int] = {}
    before = -1
    for r in batch.records:
        if r.position <= before or r.transaction > len(last) or r.index <= last.get(r.transaction, -1):
            raise Refused("V-ENTRY")
        before, last[r.transaction] = r.position, r.index
    if len(last) != len(batch.transactions):
        raise Refused("V-ENTRY")


def signed_batch(batch: RecordsClaim, proof: Proof) -> None:
    for number, shared in enumerate(batch.transactions):
        header = shared.header
        if header.chain != proof.chain:
            raise Refused("V-CHAIN")
        message = signed("minlian/v1/transaction", header.chain, header.encoded)
        if not crypto.verify(header.key, shared.signature, message):
            raise Refused("V-SIGNATURE")
        if header.version != 1:
            raise Refused("V-FORMAT")
        leaves = {
            r.index: crypto.derive("minlian v1 list leaf", b"\0" + r.operation.encoded)
            for r in batch.records
            if r.transaction == number
        }
        if max(leaves) >= header.count:
            raise Refused("V-ENTRY")
        if fold_many(leaves, header.count, shared.nodes, list_node) != header.operations:
            raise Refused("V-OPERATION")


def included_batch(batch: RecordsClaim, proof: Proof) -> None:
    leaves = {}
    for r in batch.records:
        shared = batch.transactions[r.transaction]
        entry = U64.pack(r.position) + U64.pack(shared.height) + U64.pack(shared.time)
        entry += crypto.derive("minlian v1 transaction", shared.header.encoded)
        entry += U32.pack(r.index) + record_id(shared.header, r.operation)
        leaves[r.position] = crypto.sha256(b"\0" + entry)
    if max(leaves) >= proof.header.log_size:
        raise Refused("V-ENTRY")
    if fold_many(leaves, proof.header.log_size, batch.log_nodes, log_node) != proof.header.log_root:
        raise Refused("V-PATH-MISMATCH")
    for shared in batch.transactions:
        if not fits(shared.header, shared.height, shared.time, proof.header):
            raise Refused("V-ENTRY")


def fold_many(leaves: dict[int, bytes], count: int, nodes: list[bytes], node) -> bytes:
    """The root over leaves at their places and, from left to right, the roots of the parts that have none."""
    order = sorted(leaves)

    def parts(lo: int, hi: int, start: int, end: int) -> int:
        if start == end:
            return 1
        if hi - lo == 1:
            return 0
        half = lo + (1 << (hi - lo - 1).bit_length() - 1)
        cut = cut_at(order, half, start, end)
        return parts(lo, half, start, cut) + parts(half, hi, cut, end)

    def root(lo: int, hi: int, start: int, end: int) -> bytes:
        if start == end:
            return next(given)
        if hi - lo == 1:
            return leaves[order[start]]
        half = lo + (1 << (hi - lo - 1).bit_length() - 1)
        cut = cut_at(order, half, start, end)
        left = root(lo, half, start, cut)
        return node(left, root(half, hi, cut, end))

    if len(nodes) != parts(0, count, 0, len(order)):
        raise Refused("V-PATH-LENGTH")
    given = iter(nodes)
    return root(0, count, 0, len(order))


def cut_at(order: list[int], half: int, start: int, end: int) -> int:
    return bisect_left(order, half, start, end)


def lot_state(lot: codec.LotClaim, proof: Proof) -> str | None:
    if len(lot.siblings) > 256:
        return "V-PATH-LENGTH"
    key = crypto.derive("minlian v1 subject key", lot.state.subject)
    value = crypto.derive("minlian v1 subject value", lot.state.encoded)
    root = fold_map(map_leaf(key, value), lot.siblings, key)
    return None if root == proof.header.state_root else "V-STATE"


def upstream(claim: UpstreamClaim) -> None:
    """The lots are exactly those reached from the first, the records exactly theirs."""
    ids = [lot.state.id for lot in claim.lots]
    if not 1 <= len(ids) <= BATCH_MAX or any(lot.state.kind != LOT for lot in claim.lots):
        raise Refused("V-UPSTREAM")
    if any(a.encode() >= b.encode() for a, b in zip(ids, ids[1:])):
        raise Refused("V-UPSTREAM")
    lots = dict(zip(ids, claim.lots))
    named = {}
    for r in claim.records.records:
        lots_of = r.operation.lots if r.operation.event else []
        said = [(lot.encode(), part) for lot, part in lots_of]
        if any(a >= b for a, b in zip(said, said[1:])):
            raise Refused("V-UPSTREAM")
        named[r.position] = set(lots_of)
    reached, used, followed, here, depth = set(), set(), set(), {claim.lot}, 0
    while here:
        if depth > DEPTH_MAX:
            raise Refused("V-UPSTREAM")
        above = set()
        for lot in here:
            if lot not in lots:
                raise Refused("V-UPSTREAM")
            for link in lots[lot].history:
                if (lot, link.part) not in named.get(link.position, ()):
                    raise Refused("V-UPSTREAM")
                used.add(link.position)
                if link.part == OUTPUT and link.position not in followed:
                    followed.add(link.position)
                    above |= {name for name, part in named[link.position] if part == INPUT}
        reached |= here
        here, depth = above - reached, depth + 1
    if reached != set(ids) or used != set(named):
        raise Refused("V-UPSTREAM")


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
    name = record_id(transaction, operation)
    if entry.tx != tx or entry.record != name:
        return "V-ENTRY"
    return None


class Authorities:
    """Who could sign for whom, and record what, when: by genesis, or by what the file shows of the state."""

    def __init__(self, proof: Proof, root: TrustRoot):
        self.proof, self.root = proof, root
        self.claims: dict[str, AuthorityClaim] = {}
        known = [(0, root.time), (proof.header.height, proof.header.time)]
        for claim in proof.claims:
            match claim:
                case AuthorityClaim():
                    self.claims.setdefault(claim.agency, claim)
                case RecordClaim():
                    known.append((claim.entry.height, claim.entry.time))
                case ConsistencyClaim():
                    known.append((claim.header.height, claim.header.time))
        for batch in codec.batches(proof):
            known += [(shared.height, shared.time) for shared in batch.transactions]
        self.known = known
        self.roles: dict[tuple, list] = {}

    def of_record(self, transaction, operation: Operation, height: int) -> str | None:
        claim = self.claims.get(transaction.agency)
        if claim is None:
            agency = self.root.agencies.get(transaction.agency)
            if agency is None or transaction.key not in agency.keys:
                return "V-SUBMITTER"
            return allowed(agency.roles, operation)
        try:
            line = sound(claim)
            signs(line[0], transaction.key, height)
        except Refused as e:
            return e.code
        return allowed(self.roles_at(transaction.agency, line, height), operation)

    def roles_at(self, agency: str, line: list, height: int) -> list:
        if (agency, height) not in self.roles:
            known = [time for at, time in self.known if at >= height - 1]
            self.roles[agency, height] = roles_of(line, height, min(known, default=None))
        return self.roles[agency, height]

    def held(self, claim: AuthorityClaim) -> None:
        line = sound(claim)
        if not 1 <= claim.at <= self.proof.header.height + 1:
            raise Refused("V-AUTHORITY")
        signs(line[0], claim.key, claim.at)


def sound(claim: AuthorityClaim) -> list:
    """The agencies of a line: the one it is about, then always the one above."""
    if not 1 <= len(claim.line) <= LINE_MAX:
        raise Refused("V-AUTHORITY")
    line, code = [], claim.agency
    for place in claim.line:
        state = place.state
        if code is None or state.agency is None or (state.kind, state.id) != (AGENCY, code):
            raise Refused("V-AUTHORITY")
        line.append((code, state.agency))
        code = state.agency.parent
    return line


def within(height: int, start: int, end: int | None) -> bool:
    return start <= height and (end is None or height < end)


def signs(place, key: bytes | None, height: int) -> None:
    _, agency = place
    holding = [one for one, start, end in agency.keys if within(height, start, end)]
    if not holding or any(within(height, *span) for span in agency.suspensions):
        raise Refused("V-SUBMITTER")
    if key is not None and key not in holding:
        raise Refused("V-SUBMITTER")


def roles_of(line: list, height: int, time: int | None) -> list:
    """The roles that the first of a line held: by governance, or passed down by one who held them."""
    above, roles = None, []
    for code, agency in reversed(line):
        mine = []
        if not any(within(height, *span) for span in agency.suspensions):
            for grant in agency.grants:
                if not within(height, grant.start, grant.end):
                    continue
                if grant.expires is not None and (time is None or time >= grant.expires):
                    continue
                backed = grant.by == above and any(covers(role, grant.role) for role in roles)
                if grant.by is None or backed:
                    mine.append(grant.role)
        above, roles = code, mine
    return roles


def covers(mine, theirs) -> bool:
    """Whether whoever has one role may do all that the other allows."""
    if mine.family != theirs.family or mine.family == "govern":
        return False
    return all(any(p.startswith(q) for q in mine.prefixes) for p in theirs.prefixes) and all(
        any(contains(r, s) for r in mine.regions) for s in theirs.regions
    )


def allowed(roles: list, operation: Operation) -> str | None:
    if operation.family is None:
        return None
    roles = [role for role in roles if role.family == operation.family]
    return None if roles and covered(roles, operation) else "V-AUTHORITY"


def covered(roles: list, operation: Operation) -> bool:
    """Whether roles of the operation's family cover it, as far as it says itself what it is about."""
    if operation.family == "trace":
        prefixes = [prefix for role in roles for prefix in role.prefixes]
        return all(any(lot.startswith(prefix) for prefix in prefixes) for lot, _ in operation.lots)
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
    return None if fits(claim.transaction, entry.height, entry.time, header) else "V-ENTRY"


def fits(transaction, height: int, time: int, header: Header) -> bool:
    """Whether a transaction can have been recorded then."""
    if height > header.height or height > transaction.valid_until:
        return False
    return compare(time, header.time) == compare(height, header.height)


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


def history(state, links, proof: Proof, claimed: dict[int, set[bytes]]) -> str | None:
    if links is None:
        return None
    if state is None or len(links) != state.records:
        return "V-HISTORY"
    if not links and (state.kind not in (AGENCY, NETWORK) or state.latest != 0):
        return "V-HISTORY"
    head, last = EMPTY, None
    for link in links:
        if last is not None and link.position < last:
            return "V-HISTORY"
        if link.position >= proof.header.log_size:
            return "V-HISTORY"
        if any(name != link.record for name in claimed.get(link.position, ())):
            return "V-HISTORY"
        last = link.position
        head = crypto.derive("minlian v1 history", head + link.encoded)
    if head != state.head or (links and last != state.latest):
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
