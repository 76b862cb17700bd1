#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sums up what `gst-launch-1.0 -m ... patchcoredetect ...` printed.

    summary.py MESSAGES [TRUTH.csv]

TRUTH.csv is what the scene generator wrote beside the video (frame,anomalous,kind,pixels).
"""
import csv
import itertools
import re
import sys

FIELD = re.compile(r"([a-z-]+)=\((\w+)\)([^,;]+)")


def results(path):
    """The fields of each frame's message, in order."""
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if "(element): patchcore," in line:
                fields = {key: value for key, _, value in FIELD.findall(line)}
                if fields.get("state") == "scored":
                    yield fields


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__.strip())
    frames = list(results(sys.argv[1]))
    if not frames:
        sys.exit(f"{sys.argv[1]} holds no scored frame")
    kinds = ["?"] * len(frames)
    if len(sys.argv) == 3:
        with open(sys.argv[2], encoding="utf-8") as file:
            kinds = [row["kind"] for row in csv.DictReader(file)]

    print(f"{'frames':>11}  {'shown':<14} {'score':>9} {'normalized':>11}  anomalous")
    numbered = list(zip(itertools.count(), frames, kinds))
    for kind, group in itertools.groupby(numbered, key=lambda entry: entry[2]):
        group = list(group)
        alarms = sum(fields["anomalous"] == "true" for _, fields, _ in group)
        top = max((fields for _, fields, _ in group), key=lambda fields: float(fields["score"]))
        print(
            f"{group[0][0]:>5}-{group[-1][0]:<5}  {kind:<14} {float(top['score']):>9.4f}"
            f" {float(top['normalized-score']):>11.3f}  {alarms} of {len(group)}"
        )

    worst = max(range(len(frames)), key=lambda i: float(frames[i]["score"]))
    alarms = sum(fields["anomalous"] == "true" for fields in frames)
    print(f"{len(frames)} frames scored, {alarms} anomalous (normalized score 0.5 or more)")
    print(f"worst frame: {worst} (score {float(frames[worst]['score']):.4f}, {kinds[worst]})")


if __name__ == "__main__":
    main()
