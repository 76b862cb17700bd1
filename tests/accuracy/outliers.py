#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What defects among the training images cost, and what --drop-outliers gives back.

    outliers.py PATCHCORE DATASET [SHARE] [-- OPTION...]

PATCHCORE is the command line tool, DATASET a folder laid out like MVTec AD, SHARE the defects to mix
in, of the normal training images (0.02). They are taken from the test set, as many of each class as its
share of them is, by seeds 0, 1 and 2, and are missing there in all three rows: clean, mixed, and mixed
with --drop-outliers. OPTION: of `patchcore fit`. Prints a table.
"""
import json
import os
import random
import re
import subprocess
import sys
import tempfile

SEEDS = (0, 1, 2)


def listed(folder):
    return sorted(os.path.join(folder, name) for name in os.listdir(folder))


def choose(dataset, share, seed):
    """Images of defects, evenly out of the classes."""
    classes = sorted(name for name in os.listdir(os.path.join(dataset, "test")) if name != "good")
    images = {name: listed(os.path.join(dataset, "test", name)) for name in classes}
    defects = sum(len(files) for files in images.values())
    wanted = round(share * len(listed(os.path.join(dataset, "train", "good"))))
    draw, chosen = random.Random(seed), []
    for number, name in enumerate(classes, 1):
        so_far = sum(len(images[c]) for c in classes[:number])
        chosen += draw.sample(images[name], round(wanted * so_far / defects) - len(chosen))
    return set(chosen)


def lay_out(dataset, chosen, folder):
    """A dataset without them, and beside it the training images with them."""
    for where, _, files in os.walk(dataset):
        to = os.path.join(folder, "set", os.path.relpath(where, dataset))
        os.makedirs(to)
        for name in files:
            if os.path.join(where, name) not in chosen:
                os.symlink(os.path.abspath(os.path.join(where, name)), os.path.join(to, name))
    mixed = os.path.join(folder, "mixed")
    os.makedirs(mixed)
    for number, file in enumerate(listed(os.path.join(dataset, "train", "good"))):
        os.symlink(os.path.abspath(file), os.path.join(mixed, f"good-{number}.png"))
    for number, file in enumerate(sorted(chosen)):
        os.symlink(os.path.abspath(file), os.path.join(mixed, f"defect-{number}.png"))
    return os.path.join(folder, "set", "train", "good"), mixed


def measure(patchcore, images, folder, options):
    """Image and pixel AUROC, and the names that fit told."""
    bank = os.path.join(folder, "bank.safetensors")
    fit = subprocess.run([patchcore, "fit", "--images", images, "--output", bank, *options],
                         check=True, capture_output=True, text=True)
    evaluated = subprocess.run(
        [patchcore, "evaluate", "--bank", bank, "--dataset", os.path.join(folder, "set"), "--json"],
        check=True, capture_output=True, text=True)
    result = json.loads(evaluated.stdout)
    told = re.findall(r"^  \S+  (\S+)$", fit.stderr, re.MULTILINE)
    return 100 * result["image_auroc"], 100 * result["pixel_auroc"], told


def main():
    arguments, options = sys.argv[1:], []
    if "--" in arguments:
        cut = arguments.index("--")
        arguments, options = arguments[:cut], arguments[cut + 1:]
    if len(arguments) not in (2, 3):
        sys.exit(__doc__.strip())
    patchcore, dataset = arguments[:2]
    share = float(arguments[2]) if len(arguments) == 3 else 0.02
    print("| seed | training images | image AUROC | pixel AUROC | told: defects | normal |")
    print("| --- | --- | --- | --- | --- | --- |")
    for seed in SEEDS:
        chosen = choose(dataset, share, seed)
        with tempfile.TemporaryDirectory() as folder:
            clean, mixed = lay_out(dataset, chosen, folder)
            own = [*options, "--seed", str(seed)]
            for name, images, more in (("clean", clean, []), ("mixed", mixed, []),
                                       ("mixed, --drop-outliers", mixed, ["--drop-outliers"])):
                image, pixel, told = measure(patchcore, images, folder, own + more)
                defects = sum(1 for file in told if file.startswith("defect"))
                of = f" of {len(chosen)}" if images == mixed else ""
                print(f"| {seed} | {name} | {image:.2f} | {pixel:.2f} | {defects}{of} "
                      f"| {len(told) - defects} |", flush=True)


if __name__ == "__main__":
    main()
