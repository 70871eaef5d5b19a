"""The parts of `kiln embed --shard`, as one: merge.py PARTS OUTPUT

OUTPUT.npy has the rows of all parts in their order, OUTPUT.jsonl a line a picture, whose "row"
counts through. Refuses a folder whose parts are not all finished. Both files are there wholly or
not at all. Takes little memory, however many rows there are, and nothing but Python.
"""

import ast
import json
import os
import shutil
import struct
import sys
from pathlib import Path


def parts_of(folder: Path) -> list[dict]:
    """What parts.json and each part's own say: all are finished, and of one job."""
    job = json.loads((folder / "parts.json").read_text())
    found = []
    for number in range(job["parts"]):
        path = folder / f"part-{number:05}.json"
        if not path.exists():
            sys.exit(f"{path} is missing: part {number} of {job['parts']} is not finished")
        part = json.loads(path.read_text())
        differing = [key for key in job if part.get(key) != job[key]]
        if differing:
            sys.exit(f"{path} is of another job: it has another {', '.join(differing)}")
        found.append({**part, "array": path.with_suffix(".npy"), "lines": path.with_suffix(".jsonl")})
    return found


def shift(answer: dict, rows: int) -> dict:
    """A picture's line, with rows counted through."""
    for one in [answer, *answer.get("faces", [])]:
        if "row" in one:
            one["row"] += rows
    return answer


def read_header(file) -> dict:
    """Of NumPy's format, version 1 (numpy.lib.format); the rows follow."""
    magic, size = struct.unpack("<8sH", file.read(10))
    if magic != b"\x93NUMPY\x01\x00":
        sys.exit(f"{file.name} is no array")
    return ast.literal_eval(file.read(size).decode("latin-1"))


def write_header(file, rows: int, columns: int) -> None:
    shape = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}"
    text = shape.ljust(128 - 10 - 1) + "\n"
    file.write(struct.pack("<8sH", b"\x93NUMPY\x01\x00", len(text)) + text.encode())


def merge(folder: Path, output: str) -> None:
    parts = parts_of(folder)
    rows, columns = sum(part["rows"] for part in parts), parts[0]["columns"]
    at = 0
    with open(f"{output}.npy.new", "wb") as array, open(
        f"{output}.jsonl.new", "w", encoding="utf-8"
    ) as lines:
        write_header(array, rows, columns)
        for part in parts:
            with open(part["array"], "rb") as file:
                if read_header(file)["shape"] != (part["rows"], columns):
                    sys.exit(f"{file.name} has not the {part['rows']} rows that its part says")
                shutil.copyfileobj(file, array, 1 << 20)
            with open(part["lines"], encoding="utf-8") as told:
                for line in told:
                    answer = shift(json.loads(line), at)
                    lines.write(json.dumps(answer, ensure_ascii=False) + "\n")
            at += part["rows"]
        for file in (array, lines):
            file.flush()
            os.fsync(file.fileno())
    for name in ("npy", "jsonl"):
        os.replace(f"{output}.{name}.new", f"{output}.{name}")
    pictures, errors = (sum(part[key] for part in parts) for key in ("part_pictures", "errors"))
    print(f"{output}.npy: {rows} rows of {pictures} pictures in {len(parts)} parts, {errors} failed")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    merge(Path(sys.argv[1]), sys.argv[2])
