"""Presentations, read and checked from the section of that name in crates/proof/FORMAT.md.

    present.py PRESENTATION --trust-root GENESIS

Prints what is disclosed, one field a line. Exit: 0 proven, 1 not proven, 3 cannot be checked, 2 wrong usage.
"""

import argparse
import sys
from pathlib import Path

import check
import codec
import crypto
from codec import U64

MAGIC = b"MINLIANP"
BYTES_MAX = 6_291_456
FIELDS_MAX, VALUE_MAX, SALT_MIN, SALT_MAX = 1024, 65_536, 16, 64


def present(data: bytes, root) -> tuple[check.Verdict, list[tuple[str, str]]]:
    """The verdict, and the fields disclosed if it is `proven`."""
    try:
        proof, claim, count, fields, nodes, sealed = read(data)
    except codec.Refused as e:
        return check.Verdict.of(e.code), []
    verdict = check.check(proof, root, codec.open_binary)
    if verdict.code is not None:
        return verdict, []
    code = shown(proof, claim, count, fields, nodes) or (None if sealed else "V-FIELD-SEAL")
    verdict = check.Verdict.of(code)
    return verdict, [] if code else [(name, value) for _, name, value, _, _ in fields]


def read(data: bytes):
    if not data.startswith(MAGIC):
        raise codec.Refused("V-FORMAT")
    if len(data) > BYTES_MAX or len(data) < 10:
        raise codec.malformed()
    if data[8:10] != b"\1\0":
        raise codec.Refused("V-FORMAT")
    if len(data) < 18:
        raise codec.malformed()
    r = codec.Reader(data[10:-8])
    proof = octets(r)
    claim, count = r.u32(), r.u32()
    fields = r.many(lambda: read_field(r), 28)
    nodes = r.many(r.hash, 32)
    if r.at != len(r.data):
        raise codec.malformed()
    return proof, claim, count, fields, nodes, crypto.plain(data[:-8])[:8] == data[-8:]


def octets(r) -> bytes:
    """Length, then that many bytes."""
    n = r.u64()
    if n > len(r.data) - r.at:
        raise codec.malformed()
    return r.take(n)


def read_field(r):
    index, start = r.u32(), r.at
    name = r.text(96)
    try:
        value = octets(r).decode()
    except UnicodeDecodeError:
        raise codec.malformed() from None
    salt = octets(r)
    return index, name, value, salt, r.since(start)


def field_leaf(name: str, salt: bytes, value: str) -> bytes:
    parts = (name.encode(), salt, value.encode())
    return crypto.derive("minlian v1 field leaf", b"".join(U64.pack(len(part)) + part for part in parts))


def field_node(left: bytes, right: bytes) -> bytes:
    return crypto.derive("minlian v1 field node", left + right)


def shown(proof: bytes, claim: int, count: int, fields, nodes) -> str | None:
    file = codec.open_binary(proof)
    claims = codec.read_proof(file.body, file.version).claims
    wanted = None
    if claim < len(claims) and isinstance(claims[claim], codec.RecordClaim):
        wanted = claims[claim].operation.fields
    if wanted is None:
        return "V-FIELD-RECORD"
    if not 1 <= count <= FIELDS_MAX or not 1 <= len(fields) <= count:
        return "V-FIELD-LIST"
    pairs = list(zip(fields, fields[1:]))
    if any(a[0] >= b[0] or a[1].encode() >= b[1].encode() for a, b in pairs) or fields[-1][0] >= count:
        return "V-FIELD-LIST"
    for _, _, value, salt, _ in fields:
        if not SALT_MIN <= len(salt) <= SALT_MAX or len(value.encode()) > VALUE_MAX:
            return "V-FIELD-LIST"
    leaves = {index: field_leaf(name, salt, value) for index, name, value, salt, _ in fields}
    try:
        root = check.fold_many(leaves, count, nodes, field_node)
    except check.Refused:
        return "V-FIELD-PATH"
    found = crypto.derive("minlian v1 field node", U64.pack(count) + root)
    return None if found == wanted else "V-FIELD-MISMATCH"


def main() -> int:
    parser = argparse.ArgumentParser(prog="present.py", description="Checks Minlian presentations.")
    parser.add_argument("presentation", metavar="PRESENTATION")
    parser.add_argument("--trust-root", required=True, metavar="GENESIS")
    args = parser.parse_args()
    root = check.open_root(Path(args.trust_root).read_bytes())
    with Path(args.presentation).open("rb") as file:
        verdict, fields = present(file.read(BYTES_MAX + 1), root)
    print(verdict.result if verdict.code is None else f"{verdict.result} {verdict.code}")
    for name, value in fields:
        print(f"{name}: {value}")
    return {"proven": 0, "not-proven": 1, "cannot-check": 3}[verdict.result]


if __name__ == "__main__":
    sys.exit(main())
