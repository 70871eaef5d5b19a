"""Compares what Spark wrote with what one process did, bit for bit: compare.py PARQUET ROWS.npy NAMES LIST."""

import csv
import sys

import numpy as np
import pandas


def main(parquet, rows, names, listed):
    told = pandas.read_parquet(parquet).astype(object)
    told = told.where(told.notna(), None)
    with open(listed, encoding="utf-8") as file:
        pictures = file.read().split("\n")[:-1]
    assert sorted(told["path"]) == sorted(pictures), "pictures were lost, or doubled"

    matrix = np.load(rows)
    with open(names, encoding="utf-8", newline="") as file:
        row_of = {line["image"]: int(line["row"]) for line in csv.DictReader(file) if line["row"]}
    assert len(row_of) == len(matrix)
    failed = 0
    for picture in told.itertuples():
        if picture.embedding is None:
            assert picture.error and picture.label is None and picture.path not in row_of, picture
            failed += 1
        else:
            assert picture.error is None and picture.label, picture
            expected = matrix[row_of[picture.path]]
            assert np.array_equal(np.asarray(picture.embedding, np.float32), expected), picture.path
    assert failed == len(pictures) - len(matrix) and failed >= 2, failed

    # Of the people that the classifier has learnt, most are named.
    own = told[[label is not None and f"/{label}/" in path for path, label in zip(told.path, told.label)]]
    assert len(own) > 100, f"{len(own)} pictures are of whom they are said to be"
    print(f"{parquet}: {len(matrix)} rows as one process has them, {failed} with errors")


if __name__ == "__main__":
    main(*sys.argv[1:])
