#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Image AUROC on Magnetic Tile Defects as the mean of three seeds, and what is promised of it.

    mtd.py PATCHCORE SHARED [NAME...]

PATCHCORE is the command line tool; SHARED holds mtd/ (MVTec AD layout: 761 normal training images,
191 normal and 392 defective test images) and weights/resnet18.safetensors (ImageNet). NAME:
resnet18, builtin: the network with the anomalib preset, input 224 x 224 without a crop, a bank of
4,000 rows, fp32; a reference in Python gets 95.0 to 95.7 with ResNet-18, random weights get 54.
inspect: ResNet-18 with three banks of the preset inspect, see docs/accuracy.md; the paper's
WideResNet-50 gets 97.9. Prints TAP.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

SEEDS = (0, 1, 2)


def anomalib(network):
    return ["--backbone", network, "--preset", "anomalib", "--resize", "224x224", "--crop", "0",
            "--bank-size", "4000", "--folds", "0", "--precision", "fp32"]


def inspect(side):
    return ["--backbone", "resnet18", "--preset", "inspect", "--resize", f"{side}x{side}", "--crop", "0",
            "--bank-size", "16000"]


# Of each the mean that is promised, the options of evaluate and those of each bank's fit.
MEASURED = {
    "resnet18": (0.95, ["--precision", "fp32"], [anomalib("resnet18")]),
    "builtin": (0.95, ["--precision", "fp32"], [anomalib("builtin")]),
    "inspect": (0.979, [], [inspect(side) for side in (128, 224, 256)]),
}


def fit(patchcore, shared, seed, options, bank):
    file = os.path.join(shared, "weights", "resnet18.safetensors")
    weights = [] if "builtin" in options else ["--weights", file]
    subprocess.run(
        [patchcore, "fit", "--images", os.path.join(shared, "mtd", "train", "good"), "--output", bank]
        + ["--seed", str(seed), *options, *weights],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def run(name, seed, patchcore, shared, folder):
    """Fits the banks and returns what evaluate says of them, as a dictionary."""
    _, options, fits = MEASURED[name]
    banks = [os.path.join(folder, f"bank-{number}.safetensors") for number in range(len(fits))]
    start = time.monotonic()
    for bank, its in zip(banks, fits):
        fit(patchcore, shared, seed, its, bank)
    fitted = time.monotonic()
    named = [word for bank in banks for word in ("--bank", bank)]
    evaluated = subprocess.run(
        [patchcore, "evaluate", *named, "--dataset", os.path.join(shared, "mtd"), "--json", *options],
        check=True,
        stdout=subprocess.PIPE,
    )
    result = json.loads(evaluated.stdout)
    row = [f"{kind} {100 * c['image_auroc']:.2f}" for kind, c in result["classes"].items()]
    print(f"# {name}, seed {seed}: image {100 * result['image_auroc']:.2f}", end=", ")
    print(f"pixel {100 * result['pixel_auroc']:.2f} ({', '.join(row)})", end="; ")
    print(f"fit {fitted - start:.0f} s, evaluate {time.monotonic() - fitted:.0f} s", flush=True)
    return result


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__.strip())
    patchcore, shared = sys.argv[1:3]
    names = sys.argv[3:] or list(MEASURED)
    if not os.path.isdir(os.path.join(shared, "mtd")):
        print("1..0 # SKIP ../shared/mtd is not there")
        return
    print(f"1..{len(names)}")
    for number, name in enumerate(names, 1):
        with tempfile.TemporaryDirectory() as folder:
            scores = [run(name, seed, patchcore, shared, folder)["image_auroc"] for seed in SEEDS]
        promised = MEASURED[name][0]
        mean = sum(scores) / len(scores)
        verdict = "ok" if mean >= promised else "not ok"
        print(f"{verdict} {number} - {name}: image AUROC {100 * mean:.2f}, "
              f"promised {100 * promised:.1f}")


if __name__ == "__main__":
    main()
