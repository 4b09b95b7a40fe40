"""A second verifier of proofs of single lines, written from crates/proof/FORMAT.md ("One line of a batch").

    line.py PROOF --trust-root GENESIS

Exit: 0 proven, 1 not proven, 3 cannot be checked, 2 wrong usage, 70 a fault of this program.
"""

import argparse
import struct
import sys
from pathlib import Path

import check
import codec
import crypto
import trust

MAGIC, VERSION = b"MINLINE\0", 1
BYTES_MAX = 4_194_304 + 64 * 32 + 128
EXIT = {"proven": 0, "not-proven": 1, "cannot-check": 3}
UNDECIDED = (*check.UNDECIDED, "V-LINE-FORMAT", "V-LINE-MALFORMED")


def judge(data: bytes, root: trust.TrustRoot) -> str | None:
    """The code of what stands in the way of a proof; None when it holds."""
    if not data.startswith(MAGIC):
        return "V-LINE-FORMAT"
    if len(data) < 10:
        return "V-LINE-MALFORMED"
    if struct.unpack_from("<H", data, 8)[0] != VERSION:
        return "V-LINE-FORMAT"
    if len(data) > BYTES_MAX or len(data) < 18:
        return "V-LINE-MALFORMED"
    body, seal = data[10:-8], data[-8:]
    r = codec.Reader(body)
    try:
        line, index = r.hash(), r.u64()
        path = r.many(r.hash, 32)
        inner = r.take(r.u64())
    except codec.Refused:
        return "V-LINE-MALFORMED"
    if r.at != len(body):
        return "V-LINE-MALFORMED"
    if crypto.plain(data[:-8])[:8] != seal:
        return "V-LINE-SEAL"
    verdict = check.check(inner, root, codec.open_binary)
    if verdict.code is not None:
        return verdict.code
    file = codec.open_binary(inner)
    claims = codec.read_proof(file.body, file.version).claims
    if len(claims) != 1 or not isinstance(claims[0], codec.RecordClaim):
        return "V-LINE-RECORD"
    batch = claims[0].operation.batch
    if batch is None:
        return "V-LINE-RECORD"
    lines, wanted = batch
    if index >= lines:
        return "V-LINE-INDEX"
    if len(path) != check.path_length(index, lines):
        return "V-LINE-PATH"
    leaf = crypto.sha256(b"\0" + line)
    return None if check.fold(leaf, path, index, lines, check.log_node) == wanted else "V-LINE-ROOT"


def result_of(code: str | None) -> str:
    return "proven" if code is None else "cannot-check" if code in UNDECIDED else "not-proven"


def main() -> int:
    parser = argparse.ArgumentParser(prog="line.py", description="Checks proofs of single lines of batches.")
    parser.add_argument("proof", metavar="PROOF")
    parser.add_argument("--trust-root", required=True, metavar="GENESIS")
    args = parser.parse_args()
    try:
        root = check.open_root(Path(args.trust_root).read_bytes())
        data = Path(args.proof).read_bytes()
    except (OSError, trust.Unusable) as e:
        print(f"line.py: {e}", file=sys.stderr)
        return 2
    code = judge(data, root)
    result = result_of(code)
    print(result if code is None else f"{result} {code}")
    return EXIT[result]


if __name__ == "__main__":
    try:
        status = main()
    except Exception as e:  # Whatever is left is a bug here, and must not look like a verdict.
        print(f"line.py: fault: {type(e).__name__}: {e}", file=sys.stderr)
        status = 70
    sys.exit(status)
