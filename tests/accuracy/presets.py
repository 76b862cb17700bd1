#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fits and evaluates each preset on Magnetic Tile Defects and writes the tables of docs/accuracy.md.

    presets.py PATCHCORE SHARED WORK [DOCS]

PATCHCORE is the command line tool; SHARED holds mtd/ (MVTec AD layout) and
weights/resnet18.safetensors; in WORK each row's JSON is kept and not made again. DOCS is the page
whose tables are replaced, between its marks "presets.py" and "/presets.py"; without it they are
printed. Takes half an hour on two cores.
"""
import json
import pathlib
import re
import subprocess
import sys
import time

BANK_SIZE = 4000
PRESETS = ("paper", "official", "anomalib", "article")
AT_224 = ["--preset", "anomalib", "--resize", "224x224"]
ROWS = {preset: ["--preset", preset, "--folds", "0"] for preset in PRESETS}
ROWS["anomalib, 224x224, 3 folds"] = AT_224 + ["--folds", "3"]
CALIBRATED = [name for name in ROWS if "folds" in name]


def measure(name, options, patchcore, shared, work):
    kept = work / (re.sub(r"\W+", "-", name) + ".json")
    if kept.exists():
        return json.loads(kept.read_text())
    bank = kept.with_suffix(".safetensors")
    start = time.monotonic()
    subprocess.run(
        [patchcore, "fit", "--images", shared / "mtd" / "train" / "good", "--output", bank]
        + ["--backbone", "resnet18", "--weights", shared / "weights" / "resnet18.safetensors"]
        + ["--precision", "fp32", "--bank-size", str(BANK_SIZE)] + options,
        check=True)
    fitted = time.monotonic()
    evaluated = subprocess.run(
        [patchcore, "evaluate", "--bank", bank, "--dataset", shared / "mtd", "--json"]
        + ["--precision", "fp32", "--report", kept.with_suffix(".html")],
        check=True, stdout=subprocess.PIPE)
    result = json.loads(evaluated.stdout)
    info = subprocess.run([patchcore, "bank", "info", "--json", bank], check=True,
                          stdout=subprocess.PIPE)
    result["bank"] = json.loads(info.stdout)
    result["fit_seconds"] = fitted - start
    result["evaluate_seconds"] = time.monotonic() - fitted
    kept.write_text(json.dumps(result, indent=1))
    return result


def percent(value):
    return f"{100 * value:.2f}"


def interval(result, key):
    low, high = result[key + "_ci"]
    return f"{percent(result[key])} ({100 * low:.1f} to {100 * high:.1f})"


def table(rows):
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + " --- |" * len(rows[0]))
    return "\n".join(lines)


def preset_table(results):
    rows = [["preset", "image AUROC", "AP", "F1, best", "pixel AUROC", "AUPRO", "fit", "evaluate"]]
    for name, r in results.items():
        rows.append([
            f"`{name}`" if name in PRESETS else name,
            interval(r, "image_auroc"), percent(r["image_ap"]), percent(r["image_f1"]),
            percent(r["pixel_auroc"]), percent(r["aupro"]),
            f"{r['fit_seconds']:.0f} s", f"{r['evaluate_seconds']:.0f} s"])
    return table(rows)


def calibration_table(results):
    rows = [["threshold", "false alarms, held out", "of test", "defects found", "F1"]]
    for name in CALIBRATED:
        r = results[name]
        bank = r["bank"]
        good = r["images"] - r["defects"]
        found = r["defects"] - r["misses"]
        rows.append([
            f"{name}: {bank['threshold']:.4f}",
            f"{bank['false_alarms']} of {bank['calibration_frames']}, "
            f"below {100 * bank['false_alarm_bound']:.2f} %",
            f"{r['false_alarms']} of {good} ({100 * r['false_alarms'] / good:.1f} %)",
            f"{found} of {r['defects']} ({100 * found / r['defects']:.1f} %)",
            percent(r["image_f1_calibrated"])])
    return table(rows)


def class_table(result):
    rows = [["class", "defects", "found", "image AUROC", "pixel AUROC", "AUPRO"]]
    for name, c in result["classes"].items():
        found = c["defects"] - c["misses"]
        rows.append([name, str(c["defects"]), f"{found} ({100 * found / c['defects']:.1f} %)",
                     interval(c, "image_auroc"), percent(c["pixel_auroc"]), percent(c["aupro"])])
    return table(rows)


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__.strip())
    patchcore, shared, work = (pathlib.Path(p) for p in sys.argv[1:4])
    work.mkdir(parents=True, exist_ok=True)
    results = {n: measure(n, o, patchcore, shared, work) for n, o in ROWS.items()}
    parts = [preset_table(results), "Thresholds for a false alarm rate of 1 %:",
             calibration_table(results)]
    for name in CALIBRATED:
        parts += [f"By class, {name}:", class_table(results[name])]
    text = "\n\n".join(parts)
    if len(sys.argv) < 5:
        print(text)
        return
    page = pathlib.Path(sys.argv[4])
    old = page.read_text()
    new, count = re.subn(r"(<!-- presets\.py -->\n).*?(<!-- /presets\.py -->)",
                         lambda m: m[1] + "\n" + text + "\n\n" + m[2], old, flags=re.S)
    if count != 1:
        sys.exit(f"{page} has no place between the marks presets.py and /presets.py")
    page.write_text(new)


if __name__ == "__main__":
    main()
