"""A second verifier of Minlian proofs, written from crates/proof/FORMAT.md and sharing no code with the first.

    verify.py PROOF --trust-root GENESIS [--json]
    verify.py --batch --trust-root a=GENESIS [--trust-root b=GENESIS …] < proofs.ndjson

Exit: 0 proven, 1 not proven, 3 cannot be checked, 2 wrong usage, 70 a fault of this program.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import check
import codec
import trust

EXIT = {"proven": 0, "not-proven": 1, "cannot-check": 3}
USAGE, FAULT = 2, 70


def main() -> int:
    parser = argparse.ArgumentParser(prog="verify.py", description="Checks Minlian proofs.")
    parser.add_argument("proof", nargs="?", metavar="PROOF", help="the proof file")
    parser.add_argument("--trust-root", action="append", required=True, metavar="[ID=]GENESIS")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--batch", action="store_true", help='read {"proof":HEX,"root":ID} lines from standard input')
    args = parser.parse_args()
    if args.batch == (args.proof is not None) or (not args.batch and len(args.trust_root) != 1):
        parser.error("one PROOF and one --trust-root, or --batch")
    try:
        if args.batch:
            roots = dict(open_root(*given.split("=", 1)) for given in args.trust_root if "=" in given)
            if len(roots) != len(args.trust_root):
                parser.error("with --batch every --trust-root is ID=GENESIS, and every ID is its own")
            return batch(roots)
        _, root = open_root("", args.trust_root[0])
        verdict = check.check(read(args.proof, codec.armour_bytes_max(2)), root)
    except OSError as e:
        print(f"verify.py: {e}", file=sys.stderr)
        return USAGE
    except trust.Unusable as e:
        print(f"verify.py: the trust root cannot be used: {e}", file=sys.stderr)
        return USAGE
    if args.json:
        print(as_json(verdict))
    else:
        print(verdict.result if verdict.code is None else f"{verdict.result} {verdict.code}")
    return EXIT[verdict.result]


def batch(roots: dict[str, trust.TrustRoot]) -> int:
    for number, line in enumerate(sys.stdin, 1):
        try:
            row = json.loads(line)
            proof, root = bytes.fromhex(row["proof"]), roots[row["root"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            print(f"verify.py: line {number} is not a proof and a known root", file=sys.stderr)
            return USAGE
        print(as_json(check.check(proof, root)))
    return 0


def open_root(name: str, path: str) -> tuple[str, trust.TrustRoot]:
    return name, check.open_root(read(path, trust.GENESIS_BYTES_MAX + codec.armour_bytes_max(2)))


def read(path: str, most: int) -> bytes:
    """At most one byte more than can be right, whatever the file's size."""
    with Path(path).open("rb") as file:
        return file.read(most + 1)


def as_json(verdict: check.Verdict) -> str:
    return json.dumps({"result": verdict.result, "code": verdict.code})


if __name__ == "__main__":
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = USAGE
    except Exception as e:  # Whatever is left is a bug here, and must not look like a verdict.
        print(f"verify.py: fault: {type(e).__name__}: {e}", file=sys.stderr)
        status = FAULT
    sys.exit(status)
