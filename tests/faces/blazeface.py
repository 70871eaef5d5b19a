#!/usr/bin/env python3
"""Faces of BlazeFace (short range) in NumPy: what tests/unit/test_blazeface.c expects.

Writes tests/unit/oracle_blazeface.h. Anchors, decoding and suppression are written after MediaPipe's own
description of the model (mediapipe/modules/face_detection/face_detection_short_range.pbtxt and the calculators
SsdAnchors, TensorsToDetections and NonMaxSuppression), not after ours: anchors by layers of strides 8, 16, 16, 16
with two aspect ratios each, offset 0.5, of a fixed size; numbers over 128; scores clipped to 100 before the sigmoid;
suppression that averages by score. The outputs come from a counted random number, as in the test:

    python3 tests/faces/blazeface.py > tests/unit/oracle_blazeface.h
"""
import numpy as np

SIDE, STRIDES, OFFSET, CLIP, LEAST, OVERLAP = 128, (8, 16, 16, 16), 0.5, 100.0, 0.5, 0.3
MASK = (1 << 64) - 1
CASES = 4


def mix(z):
    z = ((z + 1) * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    return (z ^ (z >> 27)) >> 40  # 24 bits


def anchors():
    """SsdAnchorsCalculator: layers of one stride are made together, all anchors of a cell side by side."""
    made, layer = [], 0
    while layer < len(STRIDES):
        last, ratios = layer, 0
        while last < len(STRIDES) and STRIDES[last] == STRIDES[layer]:
            ratios += 2  # the aspect ratio 1, and that of the interpolated scale
            last += 1
        cells = -(-SIDE // STRIDES[layer])
        for y in range(cells):
            for x in range(cells):
                made += [((x + OFFSET) / cells, (y + OFFSET) / cells)] * ratios
        layer = last
    return np.array(made)


def outputs(case):
    """Logits of which a few are high, and offsets of some pixels, as f32."""
    draws = np.array([mix(case << 32 | k) for k in range(896 * 17)], np.float64) / (1 << 24)
    numbers = (draws[:896 * 16].reshape(896, 16) * 16 - 8).astype(np.float32)
    numbers[:, 2:4] += 28
    logits = (draws[896 * 16:] * 60 - 57).astype(np.float32)
    logits[case * 7] = 150  # beyond the clipping
    return numbers.astype(np.float64), logits.astype(np.float64)


def decode(numbers, logits):
    """TensorsToDetectionsCalculator: rows of score, corners, six points; relative to the input."""
    at = anchors()
    score = 1 / (1 + np.exp(-np.clip(logits, -CLIP, CLIP)))
    centre, size = numbers[:, :2] / SIDE + at, numbers[:, 2:4] / SIDE
    points = numbers[:, 4:].reshape(-1, 6, 2) / SIDE + at[:, None]
    rows = np.concatenate([score[:, None], centre - size / 2, centre + size / 2, points.reshape(-1, 12)], 1)
    return rows[score > LEAST]


def overlap(a, b):
    across = min(a[3], b[3]) - max(a[1], b[1])
    down = min(a[4], b[4]) - max(a[2], b[2])
    if across <= 0 or down <= 0:
        return 0
    area = (a[3] - a[1]) * (a[4] - a[2]) + (b[3] - b[1]) * (b[4] - b[2]) - across * down
    return across * down / area


def suppress(rows):
    """NonMaxSuppressionCalculator, WEIGHTED: the best takes the mean, by score, of all that overlap it."""
    left, found = list(rows[np.argsort(-rows[:, 0], kind="stable")]), []
    while left:
        best = left[0]
        group = [r for r in left if overlap(r, best) > OVERLAP]
        left = [r for r in left if overlap(r, best) <= OVERLAP]
        weights = np.array([r[0] for r in group])
        mean = (np.array(group) * weights[:, None]).sum(0) / weights.sum()
        found.append(np.concatenate([best[:1], mean[1:]]))
    return np.array(found)


def main():
    print("/* Made by tests/faces/blazeface.py: score, corners, and points (both eyes, nose, mouth) in pixels. */")
    print(f"enum {{ ORACLE_CASES = {CASES}, ORACLE_MOST = 64, ORACLE_NUMBERS = 13 }};")
    all_cases = [suppress(decode(*outputs(case))) for case in range(CASES)]
    print(f"static const size_t oracle_counts[ORACLE_CASES] = {{{', '.join(str(len(c)) for c in all_cases)}}};")
    print("static const double oracle_faces[ORACLE_CASES][ORACLE_MOST][ORACLE_NUMBERS] = {")
    for case in all_cases:
        assert len(case) <= 64
        print("    {")
        for row in case:
            kept = np.concatenate([row[:1], row[1:13] * SIDE])
            print("        {" + ", ".join(f"{v:.6f}" for v in kept) + "},")
        print("    },")
    print("};")


main()
