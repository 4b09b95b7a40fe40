"""Holds this verifier against tests/vectors: `vectors.py DIR`, of which it reads what `differential.py` does not.

Exit: 0 when it judges every row as it is written there, else 1.
"""

import json
import sys
from pathlib import Path

import check
import line
import present


def presentations(told: dict):
    root = check.open_root(told["genesis"].encode())
    for row in told["presentations"]:
        verdict, fields = present.present(bytes.fromhex(row["bytes"]), root)
        found = (verdict.result, verdict.code, [list(field) for field in fields])
        yield row["description"], found, (row["result"], row["code"], row["fields"])


def lines(told: dict):
    root = check.open_root(told["trust_root"].encode())
    for row in told["lines"]:
        code = line.judge(bytes.fromhex(row["bytes"]), root)
        yield row["name"], (line.result_of(code), code), (row["verdict"], row.get("code"))


def logs(told: dict):
    for row in told["inclusion"]:
        index, size, path = row["index"], row["size"], hashes(row["path"])
        holds = index < size and len(path) == check.path_length(index, size)
        if holds:
            found = check.fold(bytes.fromhex(row["leaf"]), path, index, size, check.log_node)
            holds = found == bytes.fromhex(row["root"])
        yield row["name"], holds, row["holds"]
    for row in told["consistency"]:
        old, new = (bytes.fromhex(row[name]) for name in ("old_root", "new_root"))
        grown = (row["old"], old, row["new"], new, hashes(row["path"]))
        holds = row["old"] <= row["new"] and check.judged(check.grown, *grown) is None
        yield row["name"], holds, row["holds"]


def hashes(path: list[str]) -> list[bytes]:
    return [bytes.fromhex(node) for node in path]


def main(folder: Path) -> int:
    wrong = 0
    for judge in (presentations, lines, logs):
        judged = 0
        for name, found, told in judge(json.loads((folder / f"{judge.__name__}.json").read_text())):
            judged += 1
            if found != told:
                print(f"{judge.__name__}: {name}: {found}, told {told}")
                wrong += 1
        print(f"{judged:>7} {judge.__name__}")
        wrong += judged == 0
    print(f"{wrong} judged otherwise")
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    sys.exit(main(Path(sys.argv[1])))
