"""Holds this verifier against the other one: `differential.py DIR`, where DIR has `cases.ndjson` and the genesis files.

Exit: 0 when every verdict and every code is the same and the edges of Ed25519 got the codes they were made for, else 1.
"""

import json
import sys
import time
from collections import Counter
from pathlib import Path

import check

SHOWN = 20


def main(folder: Path) -> int:
    roots = {path.stem: check.open_root(path.read_bytes()) for path in sorted(folder.glob("*.toml"))}
    codes, kinds, disagreements, slowest = Counter(), Counter(), 0, 0.0
    with (folder / "cases.ndjson").open() as cases:
        for number, line in enumerate(cases, 1):
            case = json.loads(line)
            started = time.perf_counter()
            ours = check.check(bytes.fromhex(case["proof"]), roots[case["root"]])
            slowest = max(slowest, time.perf_counter() - started)
            codes[ours.code or "proven"] += 1
            kinds[case["kind"]] += 1
            if (ours.result, ours.code) == (case["result"], case["code"]):
                continue
            disagreements += 1
            if disagreements <= SHOWN:
                print(
                    f"line {number} ({case['kind']}, root {case['root']}): "
                    f"theirs {case['result']} {case['code']}, ours {ours.result} {ours.code}"
                )
    edges = folder / "edges.ndjson"
    for line in edges.read_text().splitlines() if edges.exists() else ():
        edge = json.loads(line)
        ours = check.check(bytes.fromhex(edge["proof"]), roots["edges"])
        if ours.code != edge["code"]:
            disagreements += 1
            print(f"{edge['kind']}: made for {edge['code']}, ours {ours.code}")
    for name, count in sorted(kinds.items()):
        print(f"{count:>7} {name}")
    print()
    for name, count in sorted(codes.items()):
        print(f"{count:>7} {name}")
    print(f"slowest here: {slowest * 1000:.0f} ms")
    print(f"{codes.total()} compared, {disagreements} disagreements")
    return 0 if disagreements == 0 and codes.total() > 0 else 1


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    sys.exit(main(Path(sys.argv[1])))
