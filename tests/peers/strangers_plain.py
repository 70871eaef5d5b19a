#!/usr/bin/env python3
"""Strangers who pass, as runtime/people has them, computed plainly in NumPy from features: more random splits than
strangers.py can show pictures to, for the table in models/faces/README.md.

    strangers_plain.py FEATURES.npy [--people 20] [--splits 100]

FEATURES.npy is what `kiln embed PLAN FACES -o FEATURES.npy` makes of a folder of people; FEATURES.npy.names says who is
who. In each split so many people are known, the others are strangers:

* known by 5 pictures each: strangers who pass at the threshold that the gallery alone tells;
* known by 8, with 70 % of the strangers given as such: those of the others who pass where 1 % was asked for.

Of each: the mean over splits with its standard error, how many splits are above 3 %, and how many pictures of people
who are known are named. Needs NumPy."""
import argparse
import csv
import pathlib

import numpy

SHRINKAGE, TAIL, RATE = 0.7, 0.15, 0.01  # of metric.c and threshold.c


def unit(rows):
    return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)


def metric(rows, labels, without=None):
    """The inverse of the Cholesky factor of the covariance within people, shrunk."""
    width = rows.shape[1]
    scatter, freedom = numpy.zeros((width, width)), 0
    for person in numpy.unique(labels):
        own = rows[labels == person]
        if person != without:
            scatter += (own - own.mean(0)).T @ (own - own.mean(0))
            freedom += len(own) - 1
    scatter /= max(freedom, 1)
    average = numpy.trace(scatter) / min(max(freedom, 1), width)
    if not average > 1e-9:
        return numpy.eye(width)
    return numpy.linalg.inv(numpy.linalg.cholesky((1 - SHRINKAGE) * scatter + SHRINKAGE * average * numpy.eye(width)))


def similarities(a, rows, labels, shown, people):
    """Of pictures to people: halfway between that to the mean and that to the most similar of 8 pictures."""
    compared, kept = unit(shown @ a.T), unit(rows @ a.T)
    columns = []
    for person in people:
        mean = a @ rows[labels == person].mean(0)
        nearest = (compared @ kept[labels == person][:8].T).max(1)
        columns.append((compared @ (mean / numpy.linalg.norm(mean)) + nearest) / 2)
    return numpy.array(columns).T


def threshold(values, weights, groups):
    """Exponential excesses over the 85th percentile, of as many people as there are in the tail."""
    order = numpy.argsort(-values)
    values, weights, groups = values[order], weights[order], groups[order]
    tail = min(max(int(numpy.ceil(TAIL * len(values))), 3), len(values) - 1)
    start, above = values[tail], weights[:tail].sum() / len(values)
    excess = (values[:tail] - start).mean()
    if RATE >= above:
        return values[0]
    people = max(len(set(groups[:tail])), 4)
    return start + min(people * excess * ((above / RATE) ** (1 / people) - 1), values[0] - start + excess)


def split(rows, labels, known, pictures, taught, random):
    """Shares of strangers who pass, and of pictures of people who are named."""
    people = random.permutation(numpy.unique(labels))
    names, given, strangers = people[:known], people[known:known + taught], people[known + taught:]
    orders = [random.permutation(numpy.where(labels == person)[0]) for person in names]
    learnt = numpy.concatenate([order[:pictures] for order in orders])
    shown = numpy.concatenate([order[pictures:] for order in orders])
    own, own_labels = rows[learnt], labels[learnt]
    values, groups = [], []
    for person in names:
        a = metric(own, own_labels, person)
        others = [other for other in names if other != person]
        scores = similarities(a, own, own_labels, own[own_labels == person], others).max(1)
        values.extend(scores)
        groups.extend([person] * len(scores))
    weights = [known / (known - 1)] * len(values)
    a = metric(own, own_labels)
    seen = numpy.isin(labels, given)
    if taught > 0:
        values.extend(similarities(a, own, own_labels, rows[seen], names).max(1))
        groups.extend(labels[seen])
        weights.extend([1] * int(seen.sum()))
    least = threshold(numpy.array(values), numpy.array(weights), numpy.array(groups))
    passed = similarities(a, own, own_labels, rows[numpy.isin(labels, strangers)], names).max(1) >= least
    to = similarities(a, own, own_labels, rows[shown], names)
    named = (to.max(1) >= least) & (names[to.argmax(1)] == labels[shown])
    return passed.mean(), named.mean(), len(values)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features")
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--splits", type=int, default=100)
    options = parser.parse_args()
    rows = unit(numpy.load(options.features).astype(float))
    with open(options.features + ".names", encoding="utf-8", newline="") as lines:
        people = [pathlib.Path(line["image"]).parent.name for line in csv.DictReader(lines)]
    labels = numpy.unique(people, return_inverse=True)[1]
    strangers = len(numpy.unique(labels)) - options.people
    for title, pictures, taught in (("gallery alone", 5, 0), ("1 % asked", 8, round(0.7 * strangers))):
        random = numpy.random.default_rng(1)
        results = [split(rows, labels, options.people, pictures, taught, random) for _ in range(options.splits)]
        passed, named, counts = (numpy.array(column) for column in zip(*results))
        print(f"{title}: {100 * passed.mean():.2f} % pass (standard error {100 * passed.std() / len(passed) ** 0.5:.2f}; "
              f"above 3 % in {100 * (passed > 0.03).mean():.0f} % of splits), named {named.mean():.3f}; "
              f"{counts.min()} scores, so at most {100 * max(RATE, 3 / counts.min()):.3g} % promised", flush=True)


if __name__ == "__main__":
    main()
