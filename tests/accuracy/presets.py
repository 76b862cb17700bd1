#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fits and evaluates each preset on Magnetic Tile Defects and writes the tables of docs/accuracy.md.

    presets.py PATCHCORE SHARED WORK [DOCS]

PATCHCORE is the command line tool; SHARED holds mtd/ (MVTec AD layout) and
weights/resnet18.safetensors; in WORK each row's JSON is kept and not made again. DOCS is the page
whose tables are replaced, between its marks "presets.py" and "/presets.py"; without it they are
printed. Takes an hour on two cores.
"""
import json
import pathlib
import re
import subprocess
import sys
import time

BANK_SIZE = 4000
ROWS = {
    "paper": ["--preset", "paper"],
    "official": ["--preset", "official"],
    "anomalib": ["--preset", "anomalib"],
    "article": ["--preset", "article"],
    "anomalib, 224x224": ["--preset", "anomalib", "--resize", "224x224"],
}
BY_CLASS = "anomalib, 224x224"


def measure(name, options, patchcore, shared, work):
    kept = work / (re.sub(r"\W+", "-", name) + ".json")
    if kept.exists():
        return json.loads(kept.read_text())
    bank = kept.with_suffix(".safetensors")
    start = time.monotonic()
    subprocess.run(
        [patchcore, "fit", "--images", shared / "mtd" / "train" / "good", "--output", bank]
        + ["--backbone", "resnet18", "--weights", shared / "weights" / "resnet18.safetensors"]
        + ["--bank-size", str(BANK_SIZE)] + options,
        check=True)
    fitted = time.monotonic()
    evaluated = subprocess.run(
        [patchcore, "evaluate", "--bank", bank, "--dataset", shared / "mtd", "--json"]
        + ["--report", kept.with_suffix(".html")],
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
    rows = [["preset", "image AUROC", "AP", "F1, best", "F1, calibrated", "pixel AUROC", "AUPRO",
             "false alarms", "defects found", "fit", "evaluate"]]
    for name, r in results.items():
        good = r["images"] - r["defects"]
        found = r["defects"] - r["misses"]
        rows.append([
            f"`{name}`" if name in ("paper", "official", "anomalib", "article") else name,
            interval(r, "image_auroc"), percent(r["image_ap"]), percent(r["image_f1"]),
            percent(r["image_f1_calibrated"]), percent(r["pixel_auroc"]), percent(r["aupro"]),
            f"{r['false_alarms']} of {good}",
            f"{found} of {r['defects']} ({100 * found / r['defects']:.1f} %)",
            f"{r['fit_seconds']:.0f} s", f"{r['evaluate_seconds']:.0f} s"])
    return table(rows)


def class_table(result):
    rows = [["class", "defects", "found", "image AUROC", "pixel AUROC", "AUPRO"]]
    for name, c in result["classes"].items():
        found = c["defects"] - c["misses"]
        rows.append([name, str(c["defects"]), f"{found} ({100 * found / c['defects']:.1f} %)",
                     interval(c, "image_auroc"), percent(c["pixel_auroc"]), percent(c["aupro"])])
    return table(rows)


def calibration(result):
    bank = result["bank"]
    return (f"Of the {bank['calibration_frames']} normal training pictures, each scored with a bank "
            f"of the other folds, {bank['false_alarms']} are at or above the threshold; the true "
            f"rate is below {100 * bank['false_alarm_bound']:.2f} % with a confidence of 95 %.")


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__.strip())
    patchcore, shared, work = (pathlib.Path(p) for p in sys.argv[1:4])
    work.mkdir(parents=True, exist_ok=True)
    results = {n: measure(n, o, patchcore, shared, work) for n, o in ROWS.items()}
    text = "\n\n".join([preset_table(results),
                        f"By class, the row `{BY_CLASS}`, at its calibrated threshold:",
                        class_table(results[BY_CLASS]), calibration(results[BY_CLASS])])
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
