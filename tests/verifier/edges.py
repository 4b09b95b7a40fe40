"""Writes proofs whose signatures stand at the edge of what Ed25519 allows, for both verifiers: `edges.py DIR`.

No signing library makes these, so points and scalars are handled here as plain integers; nothing is secret. DIR gets
`edges.toml`, a genesis, and `edges.ndjson`: what was done, the proof, and the code it must get, or none if it is proven.
The rest of each proof is honest, so the signature alone decides.
"""

import hashlib
import json
import sys
from functools import lru_cache
from pathlib import Path

import crypto
import trust
from codec import U16, U32, U64
from crypto import D, L, P, SQRT_M1

CODES = ("11350000MXDEX0015L", "11350000MXDEX0023F", "11350000MXDEX0031A", "11350000MXDEX004X2")
TIME = 1_767_225_600_000
LOT = "urn:epc:id:sgtin:6901234.1"

# Points of the curve, in affine coordinates: slow, and short enough to be read.
Point = tuple[int, int]
ZERO: Point = (0, 1)


def add(a: Point, b: Point) -> Point:
    cross = D * a[0] * b[0] * a[1] * b[1] % P
    x = (a[0] * b[1] + a[1] * b[0]) * pow(1 + cross, -1, P)
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - cross, -1, P)
    return x % P, y % P


@lru_cache(maxsize=4096)
def times(n: int, point: Point) -> Point:
    result = ZERO
    for bit in bin(n)[2:]:
        result = add(result, result)
        if bit == "1":
            result = add(result, point)
    return result


def point(y: int, odd: int) -> Point:
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * SQRT_M1 % P
    assert x * x % P == square, "the y of a point"
    return (x if x & 1 == odd else -x % P), y


def spell(p: Point) -> bytes:
    return (p[1] | (p[0] & 1) << 255).to_bytes(32, "little")


BASE = point(4 * pow(5, -1, P) % P, 0)
EIGHT = point(min(y for y in crypto.SMALL_ORDERS if y not in (0, 1, P - 1)), 0)
TORSION = [times(n, EIGHT) for n in range(8)]
# The second spellings of small points: x is 0 with the sign set, and y = 0 and y = 1 as p and p + 1.
SECOND = [
    (1 | 1 << 255).to_bytes(32, "little"),
    (P - 1 | 1 << 255).to_bytes(32, "little"),
    P.to_bytes(32, "little"),
    (P | 1 << 255).to_bytes(32, "little"),
    (P + 1).to_bytes(32, "little"),
    (P + 1 | 1 << 255).to_bytes(32, "little"),
]
assert times(L, BASE) == ZERO and TORSION[4] != ZERO == times(8, EIGHT)


def scalar(name: str) -> int:
    return int.from_bytes(hashlib.sha512(name.encode()).digest(), "little") % L


def challenge(r: bytes, key: bytes, message: bytes) -> int:
    return int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L


def sign(secret: int, key: bytes, message: bytes, shift: Point = ZERO, nonce: str = "nonce") -> bytes:
    """An honest signature, unless the key or the commitment has a part of small order."""
    r = scalar(nonce)
    commitment = spell(add(times(r, BASE), shift))
    return commitment + ((r + challenge(commitment, key, message) * secret) % L).to_bytes(32, "little")


def respell(signature: bytes, s: int) -> bytes:
    return signature[:32] + s.to_bytes(32, "little")


SECRETS = {name: scalar(name) for name in ("agency", "seat 0", "seat 1", "seat 2")}
PURE = {name: spell(times(secret, BASE)) for name, secret in SECRETS.items()}
# Sound keys, by every rule, of which only the multiple by the cofactor is of prime order.
MIXED = {name: spell(add(times(SECRETS[name], BASE), EIGHT)) for name in ("agency", "seat 2")}
SEATS = [PURE["seat 0"], PURE["seat 1"], MIXED["seat 2"]]


def genesis() -> str:
    def key(name: str) -> str:
        return "ed25519:" + spell(times(scalar(name), BASE)).hex()

    lines = ['version = 1', 'name = "edges"', 'time = "2026-01-01T00:00:00Z"', "[limits]"]
    lines += [f"{field} = {most}" for field, _, most in trust.LIMITS]
    lines += ["[timing]"] + [f"{field} = {most}" for field, _, most in trust.TIMING]
    lines += ["[governance]"] + [f"{field} = {most}" for field, _, most in trust.GOVERNANCE]
    for n, code in enumerate(CODES):
        keys = f'"ed25519:{PURE["agency"].hex()}", "ed25519:{MIXED["agency"].hex()}"' if n == 0 else ""
        lines += ["[[agencies]]", f'code = "{code}"', f'name = "机构{n}"', 'region = "350000"']
        lines += ['level = "province"', f"keys = [{keys}]", 'roles = [{ trace = { namespaces = ["urn:"] } }]']
    for n, code in enumerate(CODES):
        consensus = "ed25519:" + SEATS[n].hex() if n < 3 else key("seat 3")
        lines += ["[[validators]]", f'agency = "{code}"', f'consensus_key = "{consensus}"']
        lines += [f'transport_key = "{key(f"transport {n}")}"']
    return "\n".join(lines) + "\n"


def text(value: str) -> bytes:
    return U64.pack(len(value)) + value.encode()


def operation() -> bytes:
    action = U32.pack(2) + U32.pack(0) + b"\0" + U64.pack(TIME) + b"\0"
    action += U64.pack(1) + text(LOT) + U32.pack(2) + b"\0\0"
    commitment = b"\1" + bytes(32) + b"\1" + bytes(32) + b"\0"
    return action + commitment + U64.pack(TIME) + U32.pack(0) + text("s") + text("1") + U64.pack(TIME)


def proof(root: trust.TrustRoot, key: bytes, make_transaction, make_vote) -> bytes:
    """A proof of one record; the two callbacks make the agency's signature and those of the seats over messages."""
    record = operation()
    leaf = crypto.derive("minlian v1 list leaf", b"\0" + record)
    transaction = U16.pack(1) + root.chain + CODES[0].encode() + b"\1" + key
    transaction += U64.pack(7) + U64.pack(100) + U32.pack(1) + leaf
    signature = make_transaction(b"minlian/v1/transaction\0" + root.chain + transaction)

    entry = U64.pack(0) + U64.pack(1) + U64.pack(TIME + 1) + crypto.derive("minlian v1 transaction", transaction)
    entry += U32.pack(0) + crypto.derive("minlian v1 record", CODES[0].encode() + record)
    header = U16.pack(1) + root.chain + U64.pack(1) + U64.pack(TIME + 1) + U16.pack(0) + bytes(64) + U64.pack(1)
    header += crypto.sha256(b"\0" + entry) + bytes(32) + root.committee_digest * 2

    block = crypto.derive("minlian v1 block", header)
    vote = U64.pack(1) + U32.pack(0) + b"\1" + block
    message = b"minlian/v1/precommit\0" + root.chain + vote
    certificate = U64.pack(1) + U32.pack(0) + block + U64.pack(3)
    for seat in range(3):
        certificate += U16.pack(seat) + b"\1" + make_vote(seat, message)

    claim = U32.pack(0) + entry + U64.pack(0) + transaction + b"\1" + signature + record + U64.pack(0)
    file = b"MINLIAN\0" + U16.pack(1) + root.chain + header + certificate + U64.pack(1) + claim
    return file + crypto.plain(file)[:8]


def by_chance(secret: int, key: bytes, message: bytes, lucky: bool) -> bytes:
    """Under a key with a part of order 8, the equation without cofactor holds for one nonce in eight."""
    for n in range(1000):
        signature = sign(secret, key, message, nonce=f"nonce {n}")
        if (challenge(signature[:32], key, message) % 8 == 0) == lucky:
            return signature
    raise AssertionError("luck cannot stay away for so long")


def vote(seat: int, message: bytes) -> bytes:
    name = f"seat {seat}"
    if SEATS[seat] == PURE.get(name):
        return sign(SECRETS[name], SEATS[seat], message)
    return by_chance(SECRETS[name], SEATS[seat], message, True)


def cases(root: trust.TrustRoot):
    """Sentence, proof, and whether it is proven."""
    secret, key, mixed = SECRETS["agency"], PURE["agency"], MIXED["agency"]

    def of_record(under: bytes, make) -> bytes:
        return proof(root, under, make, vote)

    def of_seat(seat: int, make) -> bytes:
        return proof(
            root, key, lambda m: sign(secret, key, m), lambda s, m: make(m) if s == seat else vote(s, m)
        )

    def honest(message: bytes) -> bytes:
        return sign(secret, key, message)

    def zero_nonce(commitment: bytes):
        return lambda m: commitment + (challenge(commitment, key, m) * secret % L).to_bytes(32, "little")

    def keyless(small: bytes):
        """Of a key of small order: h·A vanishes for some nonce, and S is that nonce."""

        def make(message: bytes) -> bytes:
            for n in range(1000):
                r = scalar(f"nonce {n}")
                commitment = spell(times(r, BASE))
                if challenge(commitment, small, message) % 8 == 0:
                    return commitment + r.to_bytes(32, "little")
            raise AssertionError("luck cannot stay away for so long")

        return make

    yield "honest", of_record(key, honest), True
    yield "a key of mixed order, the equation holds", of_record(mixed, lambda m: by_chance(secret, mixed, m, True)), True
    yield "a key of mixed order, holds by the cofactor", of_record(mixed, lambda m: by_chance(secret, mixed, m, False)), False
    for n, shift in enumerate(TORSION[1:], 1):
        yield f"R shifted by {n}/8, holds by the cofactor", of_record(key, lambda m: sign(secret, key, m, shift)), False
    for small in [spell(t) for t in TORSION] + SECOND:
        yield f"R of small order {small.hex()}", of_record(key, zero_nonce(small)), False
        yield f"a key of small order {small.hex()}", of_record(small, keyless(small)), False
    yield "all zero", of_record(spell(ZERO), lambda m: spell(ZERO) + bytes(32)), False
    for n in (1, 2, 8, 15):
        yield f"S + {n}L", of_record(
            key, lambda m: respell(honest(m), int.from_bytes(honest(m)[32:], "little") + n * L)
        ), False
    yield "S = L", of_record(key, lambda m: respell(honest(m), L)), False
    yield "S is all ones", of_record(key, lambda m: respell(honest(m), 2**256 - 1)), False
    yield "R with its sign turned", of_record(key, lambda m: honest(m)[:31] + bytes([honest(m)[31] ^ 128]) + honest(m)[32:]), False
    yield "R is no point", of_record(key, lambda m: (2).to_bytes(32, "little") + honest(m)[32:]), False
    yield "the key is no point", of_record((2).to_bytes(32, "little"), honest), False
    yield "the key is beyond p", of_record((2**255 - 1).to_bytes(32, "little"), honest), False
    seat = SEATS[2]
    yield "a seat of mixed order, holds by the cofactor", of_seat(
        2, lambda m: by_chance(SECRETS["seat 2"], seat, m, False)
    ), False
    yield "a seat's R shifted", of_seat(0, lambda m: sign(SECRETS["seat 0"], SEATS[0], m, EIGHT)), False
    yield "a seat's S + L", of_seat(0, lambda m: respell(vote(0, m), int.from_bytes(vote(0, m)[32:], "little") + L)), False


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "edges.toml").write_text(genesis())
    root = trust.load(genesis().encode())
    with (folder / "edges.ndjson").open("w") as out:
        for kind, made, proven in cases(root):
            row = {"kind": kind, "proof": made.hex(), "code": None if proven else "V-SIGNATURE"}
            out.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    main(Path(sys.argv[1]))
