"""Checks what `minlian export` writes, by the specifications of others and, where it is installed, with the software of others.

    check.py tlog-proof FILE --genesis GENESIS --record HEX
    check.py cose FILE --genesis GENESIS --record HEX

GENESIS is the genesis file: from it come the validators' transport keys, and how many of them are a quorum. HEX is the encoded
entry, the leaf of the log. Exit: 0 it holds, 1 it does not; the last lines say which software looked at it.

Nothing here is shared with the programs that write: C2SP tlog-proof, signed-note and tlog-cosignature, RFC 6962, RFC 9942, RFC
9052 and RFC 8949 are read from their texts, on the library `cryptography`. COSE is checked once more by `pycose`; that it is
missing is said, and is a failure with --all.
"""

import argparse
import base64
import hashlib
import sys
import tomllib
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def fail(why: str):
    print(f"does not hold: {why}")
    sys.exit(1)


def transport_keys(genesis: bytes) -> list[bytes]:
    table = tomllib.loads(genesis.decode())
    return [bytes.fromhex(v["transport_key"].removeprefix("ed25519:")) for v in table["validators"]]


def signed(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def root_of(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.3.2."""
    if index >= size:
        fail("the index is beyond the log")
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            fail("the path is too long")
        if fn & 1 or fn == sn:
            r = hashlib.sha256(b"\1" + p + r).digest()
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = hashlib.sha256(b"\1" + r + p).digest()
        fn, sn = fn >> 1, sn >> 1
    if sn:
        fail("the path is too short")
    return r


# C2SP.


def tlog_proof(text: str, entry: bytes, keys: list[bytes]) -> None:
    if not text.endswith("\n"):
        fail("the last line does not end")
    lines = text[:-1].split("\n")
    if lines.pop(0) != "c2sp.org/tlog-proof@v1":
        fail("it is no tlog-proof")
    extra = b""
    if lines[0].startswith("extra "):
        extra = base64.b64decode(lines.pop(0)[6:], validate=True)
    if extra != entry:
        fail("the extra data is not the entry")
    word, index = lines.pop(0).split(" ")
    if word != "index" or str(int(index)) != index:
        fail("there is no index")
    empty = lines.index("")
    path = [base64.b64decode(line, validate=True) for line in lines[:empty]]
    if any(len(p) != 32 for p in path):
        fail("a hash has another length")
    checkpoint = "\n".join(lines[empty + 1 :]) + "\n"

    # signed-note: the text ends with its last newline before the empty line; then the signatures.
    note, _, signatures = checkpoint.partition("\n\n")
    note += "\n"
    origin, size, root = note.split("\n")[:3]
    if str(int(size)) != size or len(base64.b64decode(root, validate=True)) != 32:
        fail("the checkpoint is none")
    logs, witnesses = set(), set()
    for line in signatures.rstrip("\n").split("\n"):
        dash, name, blob = line.split(" ")
        blob = base64.b64decode(blob, validate=True)
        if dash != "\u2014":
            fail("a signature line begins otherwise")
        for key in keys:
            if name == origin and blob[:4] == key_id(name, 1, key) and signed(key, blob[4:], note.encode()):
                logs.add(key)
            if blob[:4] == key_id(name, 4, key) and len(blob) == 4 + 8 + 64:
                time = int.from_bytes(blob[4:12])
                if signed(key, blob[12:], f"cosignature/v1\ntime {time}\n{note}".encode()):
                    witnesses.add(key)
    quorum = 2 * len(keys) // 3 + 1
    if not logs or len(witnesses) < quorum:
        fail(f"{len(logs)} signatures of the log and {len(witnesses)} of witnesses; 1 and {quorum} are needed")
    leaf = hashlib.sha256(b"\0" + entry).digest()
    if root_of(leaf, int(index), int(size), path) != base64.b64decode(root):
        fail("the path does not lead to the root")
    print(f"holds: record {index} of {size} in {origin}, cosigned by {len(witnesses)} of {len(keys)}")
    print("checked by tests/exports/check.py on cryptography, from the texts of C2SP")


def key_id(name: str, kind: int, key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + key).digest()[:4]


# COSE.


class Reader:
    """As much of CBOR (RFC 8949) as a receipt is made of, in its deterministic encoding only."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, n: int) -> bytes:
        if self.at + n > len(self.data):
            fail("it is cut off")
        self.at += n
        return self.data[self.at - n : self.at]

    def head(self) -> tuple[int, int]:
        first = self.take(1)[0]
        major, info = first >> 5, first & 31
        if info < 24:
            return major, info
        if info > 27:
            fail("an item has no definite length")
        width = 1 << info - 24
        value = int.from_bytes(self.take(width))
        if value < (24, 1 << 8, 1 << 16, 1 << 32)[info - 24]:
            fail("a number is not in its shortest form")
        return major, value

    def item(self):
        major, value = self.head()
        match major:
            case 0:
                return value
            case 1:
                return -1 - value
            case 2:
                return self.take(value)
            case 3:
                return self.take(value).decode()
            case 4:
                return [self.item() for _ in range(value)]
            case 5:
                pairs = [(self.item(), self.item()) for _ in range(value)]
                if len({key for key, _ in pairs}) != len(pairs):
                    fail("a key is there twice")
                return dict(pairs)
            case 6:
                return ("tag", value, self.item())
        if value == 22:
            return None
        fail("an item of a kind that receipts do not have")

    def whole(self):
        value = self.item()
        if self.at != len(self.data):
            fail("something follows")
        return value


def string(major: int, value: bytes) -> bytes:
    n = len(value)
    head = bytes([major << 5 | n]) if n < 24 else bytes([major << 5 | 24, n]) if n < 256 else None
    if head is None:
        head = bytes([major << 5 | 25]) + n.to_bytes(2)
    return head + value


def cose(data: bytes, entry: bytes, keys: list[bytes], want_all: bool) -> None:
    receipts = Reader(data).whole()
    signers, places = set(), set()
    for receipt in receipts:
        tag, number, (protected, unprotected, payload, signature) = Reader(receipt).whole()
        if (tag, number, payload) != ("tag", 18, None):
            fail("it is no COSE_Sign1 with its payload left out")
        header = Reader(protected).whole()
        if header.get(1) != -8 or header.get(395) != 1:
            fail("the algorithm is not EdDSA, or the structure not RFC9162_SHA256")
        (proof,) = unprotected[396][-1]
        size, index, path = Reader(proof).whole()
        root = root_of(hashlib.sha256(b"\0" + entry).digest(), index, size, path)
        message = b"\x84" + string(3, b"Signature1") + string(2, protected) + string(2, b"") + string(2, root)
        key = header[4]
        if key not in keys or not signed(key, signature, message):
            fail("a receipt is not signed by a validator over the root")
        signers.add(key)
        places.add((size, index, header[15][1]))
    quorum = 2 * len(keys) // 3 + 1
    if len(places) != 1 or len(signers) < quorum:
        fail(f"{len(signers)} validators signed; {quorum} are needed, over one log")
    ((size, index, origin),) = places
    print(f"holds: record {index} of {size} in {origin}, receipts of {len(signers)} of {len(keys)}")
    print("checked by tests/exports/check.py on cryptography, from the texts of the RFCs")
    if not by_pycose(receipts, entry, keys) and want_all:
        fail("software of others is missing: pip install -r tests/exports/requirements.txt")


def by_pycose(receipts: list[bytes], entry: bytes, keys: list[bytes]) -> bool:
    try:
        from pycose.headers import KID
        from pycose.keys import OKPKey
        from pycose.keys.curves import Ed25519
        from pycose.messages import Sign1Message
        import cbor2
    except ImportError as e:
        print(f"NOT checked by pycose: {e}")
        return False
    leaf = hashlib.sha256(b"\0" + entry).digest()
    for receipt in receipts:
        message = Sign1Message.decode(receipt)
        size, index, path = cbor2.loads(message.uhdr[396][-1][0])
        kid = message.phdr[KID]
        if kid not in keys:
            fail("pycose: signed by nobody who is known")
        message.key = OKPKey(crv=Ed25519, x=kid)
        root = root_of(leaf, index, size, path)
        if not message.verify_signature(detached_payload=root):
            fail("pycose: the signature does not verify")
        if message.verify_signature(detached_payload=bytes(32)):
            fail("pycose: another root verifies too")
    print(f"checked by pycose: {len(receipts)} receipts")
    return True


def main() -> None:
    parser = argparse.ArgumentParser(prog="check.py")
    parser.add_argument("format", choices=("tlog-proof", "cose"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--genesis", type=Path, required=True)
    parser.add_argument("--record", required=True, metavar="HEX", help="the encoded entry")
    parser.add_argument("--all", action="store_true", help="fail when software of others is missing")
    args = parser.parse_args()
    keys, entry = transport_keys(args.genesis.read_bytes()), bytes.fromhex(args.record)
    try:
        if args.format == "tlog-proof":
            tlog_proof(args.file.read_text(), entry, keys)
        else:
            cose(args.file.read_bytes(), entry, keys, args.all)
    except (ValueError, KeyError, IndexError, TypeError) as e:
        fail(f"{type(e).__name__}: {e}")


if __name__ == "__main__":
    main()
