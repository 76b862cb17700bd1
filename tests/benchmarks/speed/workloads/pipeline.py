# SPDX-License-Identifier: LGPL-2.1-or-later
"""A 1080p file (Motion JPEG) through the element with overlay to fakesink, as fast as it goes, on two
cores: decoding, conversion and overlay included."""
import statistics
import subprocess
import sys

from .. import element
from ..places import SCENE
from ..store import content, made

TRAIN_SEED, SEED = 1, 2
TRAIN_FRAMES = 100


def drawn(frames, seed, defects):
    def make(output):
        subprocess.run(
            [SCENE, "video", "--output", output, "--frames", str(frames), "--size", "1920x1080"]
            + ["--seed", str(seed), "--fps", "30", "--defects", str(defects)],
            check=True,
            stdout=sys.stderr,
        )

    recipe = {"frames": frames, "seed": seed, "defects": defects, "generator": content(SCENE)}
    return made("video", ".avi", recipe, make)


def source(file):
    return f"filesrc location={file} ! avidemux ! jpegdec ! "


def fitted(train):
    def make(output):
        element.run(
            "rate", f"{source(train)} patchcoredetect mode=fit bank-location={output} ! fakesink name=end"
        )

    return made("bank", ".safetensors", {"fit": train}, make)


def video(options):
    bank = fitted(drawn(min(TRAIN_FRAMES, options.video), TRAIN_SEED, 0))
    tested = drawn(options.video, SEED, 0.25)
    detect = f"patchcoredetect bank-location={bank} inference-interval=1 overlay=both ! "
    lines = {
        "ours, inference-interval 1, overlay": source(tested) + detect + "fakesink name=end sync=false",
        "the same without the element": source(tested) + "fakesink name=end sync=false",
    }
    rates = {name: [] for name in lines}
    for _ in range(options.rounds):
        for name, line in lines.items():
            rates[name].append(element.run("rate", line)["rate"])
    return {
        "rows": [
            {"name": name, "ours": name.startswith("ours"), "frames_a_second": statistics.median(some)}
            for name, some in rates.items()
        ]
    }
