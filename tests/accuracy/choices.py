#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which settings are better, told without a picture of a real defect.

    choices.py PATCHCORE SCENE IMAGES WORK ROWS.json [-- OPTION...]

IMAGES: pictures of good products. SCENE (patchcore-scene) splits them, by seeds 1 and 2, and draws
flaws on a fifth; PATCHCORE fits on what is left and evaluates on the others. ROWS.json: an object of
row names and lists of options of `patchcore fit`, or a list of such lists where several banks are evaluated
together; OPTION: those of every bank. In WORK what was measured is
kept and not made again. Prints a table: image and pixel AUROC as means over the splits, the class
that is lowest, the time that an image takes to be read and scored on this machine, and the bank's size.
"""
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time

SEEDS = (1, 2)
HELD_OUT = "0.4"


def split(scene, images, work, seed):
    folder = work / f"split-{seed}"
    if not folder.exists():
        subprocess.run([scene, "flaws", "--images", images, "--output", folder, "--held-out", HELD_OUT,
                        "--seed", str(seed)], check=True)
    return folder


def seconds(patchcore, banks, images):
    """The shorter of two runs of `patchcore score`."""
    times = []
    for _ in range(2):
        start = time.monotonic()
        subprocess.run([patchcore, "score", *banks, "--images", images], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        times.append(time.monotonic() - start)
    return min(times)


def milliseconds(patchcore, banks, folder):
    """An image's share of what many take more than one."""
    images = sorted(folder.iterdir())
    with tempfile.TemporaryDirectory() as one:
        pathlib.Path(one, images[0].name).symlink_to(images[0].resolve())
        more = seconds(patchcore, banks, folder) - seconds(patchcore, banks, one)
    return 1000 * more / (len(images) - 1)


def fit(patchcore, dataset, work, seed, options):
    """The banks. Several need thresholds, in whose steps they are compared."""
    several = isinstance(options[0], list)
    banks = []
    for its in options if several else [options]:
        banks.append(work / f"bank-{len(banks)}.safetensors")
        subprocess.run([patchcore, "fit", "--images", dataset / "train" / "good", "--output", banks[-1],
                        "--folds", "3" if several else "0", "--seed", str(seed), *its],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return banks


def measure(patchcore, dataset, work, seed, options):
    """What evaluate says, and the banks' size in bytes."""
    digest = hashlib.sha256(json.dumps([seed, options]).encode()).hexdigest()[:16]
    kept = work / (digest + ".json")
    timed = seed == SEEDS[0]
    if kept.exists() and (not timed or "milliseconds" in json.loads(kept.read_text())):
        return json.loads(kept.read_text())
    banks = fit(patchcore, dataset, work, seed, options)
    named = [word for bank in banks for word in ("--bank", bank)]
    evaluated = subprocess.run([patchcore, "evaluate", *named, "--dataset", dataset,
                                "--bootstrap", "0", "--json"],
                               check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    result = json.loads(evaluated.stdout)
    result["bank_bytes"] = sum(bank.stat().st_size for bank in banks)
    if timed:
        result["milliseconds"] = milliseconds(patchcore, named, dataset / "test" / "good")
    kept.write_text(json.dumps(result))
    return result


def mean(results, key):
    return 100 * sum(r[key] for r in results) / len(results)


def row(name, results):
    classes = {c: mean([r["classes"][c] for r in results], "image_auroc")
               for c in results[0]["classes"]}
    lowest = min(classes, key=classes.get)
    return (f"| {name} | {mean(results, 'image_auroc'):.2f} | {mean(results, 'pixel_auroc'):.2f} "
            f"| {lowest} {classes[lowest]:.2f} | {results[0]['milliseconds']:.1f} "
            f"| {results[0]['bank_bytes'] / 1e6:.1f} |")


def main():
    arguments, shared = sys.argv[1:], []
    if "--" in arguments:
        cut = arguments.index("--")
        arguments, shared = arguments[:cut], arguments[cut + 1:]
    if len(arguments) != 5:
        sys.exit(__doc__.strip())
    patchcore, scene, images = arguments[:3]
    work = pathlib.Path(arguments[3])
    work.mkdir(parents=True, exist_ok=True)
    rows = json.loads(pathlib.Path(arguments[4]).read_text())
    datasets = {seed: split(scene, images, work, seed) for seed in SEEDS}
    print("| settings | image AUROC | pixel AUROC | lowest class | ms an image | bank MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, options in rows.items():
        every = [shared + its for its in options] if isinstance(options[0], list) else shared + options
        results = [measure(patchcore, folder, work, seed, every)
                   for seed, folder in datasets.items()]
        print(row(name, results), flush=True)


if __name__ == "__main__":
    main()
