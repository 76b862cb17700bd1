#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checkpoints that anomalib 2.7.0 itself trains, imported and scored by us and by it. TAP.

    checkpoint.py install DIR     makes a virtual environment with anomalib, some 6 GB
    checkpoint.py PATCHCORE       runs the tests, with the Python that $PATCHCORE_ANOMALIB names
                                  (DIR/bin/python); skips without
"""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile

VERSION = "2.7.0"
SEED = 0
PYTHON = os.environ.get("PATCHCORE_ANOMALIB")

if __name__ == "__main__" and sys.argv[1] == "install":
    subprocess.run([sys.executable, "-m", "venv", sys.argv[2]], check=True)
    subprocess.run([sys.argv[2] + "/bin/python", "-m", "pip", "install", f"anomalib=={VERSION}",
                    "torch==2.11.0"], check=True)
    sys.exit()
if not PYTHON:
    print("1..0 # SKIP PATCHCORE_ANOMALIB names no Python that has anomalib")
    sys.exit()
if not importlib.util.find_spec("anomalib"):
    if os.environ.get("PATCHCORE_ANOMALIB_STARTED"):
        sys.exit(f"{PYTHON} has no anomalib")
    os.environ["PATCHCORE_ANOMALIB_STARTED"] = "yes"
    os.execvp(PYTHON, [PYTHON, *sys.argv])

import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import load_file  # noqa: E402


def picture(rng, size, spot):
    """Stripes, with a spot or not, and the spot's mask."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    base = 120 + 60 * np.sin(x / 7 + rng.uniform(0, 6)) + 30 * np.cos(y / 9)
    image = np.stack([base, base * 0.9, base * 0.7 + 30], -1) + rng.normal(0, 4, (*base.shape, 3))
    mask = np.zeros(base.shape, np.uint8)
    if spot:
        top, left = rng.integers(height // 4, height // 2), rng.integers(width // 4, width // 2)
        mask[top:top + 24, left:left + 24] = 255
        image[mask > 0] = rng.uniform(0, 255, 3)
    return Image.fromarray(image.clip(0, 255).astype(np.uint8)), Image.fromarray(mask)


def draw(root, size):
    rng = np.random.default_rng(SEED)
    for folder, count, spot in ("train", 8, False), ("good", 4, False), ("bad", 4, True):
        for name in folder, "mask":
            (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            image, mask = picture(rng, size, spot)
            image.save(root / folder / f"{i:03}.png")
            if spot:
                mask.save(root / "mask" / f"{i:03}.png")


def train(root, **more):
    """A checkpoint as a user gets it, and the model exported from it."""
    from anomalib.data import Folder
    from anomalib.engine import Engine
    from anomalib.models import Patchcore
    torch.manual_seed(SEED)
    model = Patchcore(pre_trained=False, coreset_sampling_ratio=0.03, **more)
    data = Folder(name="part", root=root, normal_dir="train", normal_test_dir="good",
                  abnormal_dir="bad", mask_dir="mask", train_batch_size=4, eval_batch_size=4,
                  num_workers=0, val_split_mode="same_as_test")
    engine = Engine(accelerator="cpu", devices=1, default_root_dir=root, logger=False)
    engine.fit(model, datamodule=data)
    engine.trainer.save_checkpoint(root / "model.ckpt")
    return model.to_torch(root)


def theirs(root, precision):
    """File -> (score, is it anomalous, map), all raw."""
    from anomalib.data.utils import read_image
    from anomalib.models import Patchcore
    model = Patchcore.load_from_checkpoint(root / "model.ckpt", map_location="cpu",
                                           weights_only=False).eval().to(precision)
    results = {}
    for file in sorted(root.glob("*/???.png")):
        if file.parent.name == "mask":
            continue
        image = read_image(file, as_tensor=True)[None]
        with torch.no_grad():
            raw = model.model(model.pre_processor(image))
            label = model(image).pred_label
        results[str(file.relative_to(root))] = (raw.pred_score.item(), bool(label.item()),
                                                raw.anomaly_map[0, 0])
    return results


def ours(program, root, images):
    bank, maps = root / "bank.safetensors", images.parent / "maps.safetensors"
    subprocess.run([program, "bank", "import", "--checkpoint", root / "model.ckpt", "--output",
                    bank], check=True, stdout=subprocess.DEVNULL)
    lines = subprocess.run([program, "score", "--bank", bank, "--images", images, "--json",
                            "--maps", maps, "--precision", "fp32"], check=True, capture_output=True, text=True).stdout
    results = {}
    maps = load_file(maps)
    for line in map(json.loads, lines.splitlines()):
        name = f"{images.name}/{line['file']}"
        results[name] = line["score"], line["anomalous"], maps[line["file"]]
    return results


count = 0


def promise(what, holds, note=""):
    global count
    count += 1
    print(f"{'ok' if holds else 'not ok'} {count} - {what}{' # ' + note if note else ''}",
          flush=True)


def largest(differences):
    return max(differences, default=float("inf"))


def compare(program, name, root, tolerance):
    their, exact = theirs(root, torch.float32), theirs(root, torch.float64)
    our = {**ours(program, root, root / "good"), **ours(program, root, root / "bad")}
    scores = largest(abs(our[f][0] / their[f][0] - 1) for f in our)
    promise(f"{name}: image scores are anomalib's within {tolerance} relative",
            scores <= tolerance, f"{scores:.1e}")
    # Its |x|^2 - 2xy + |y|^2 cancels in fp32, where normal patches lie near the bank.
    maps = largest(float((our[f][2] - exact[f][2]).abs().max() / exact[f][2].abs().max())
                   for f in our)
    promise(f"{name}: maps are anomalib's in fp64 within {tolerance} of their peak",
            maps <= tolerance, f"{maps:.1e}")
    lines = [our[f][0] for f in our if our[f][1]], [our[f][0] for f in our if not our[f][1]]
    promise(f"{name}: some are anomalous and some are not", all(lines))
    # A threshold of anomalib's is the score of some picture, which rounding may move across.
    edge = min(min(lines[0]), min(their[f][0] for f in our if their[f][1]))
    promise(f"{name}: verdicts are anomalib's",
            all(our[f][1] == their[f][1] for f in our
                if abs(their[f][0] / edge - 1) > tolerance))


def test_thresholds(program, root):
    state = torch.load(root / "model.ckpt", weights_only=False)["state_dict"]
    info = json.loads(subprocess.run(
        [program, "bank", "info", "--json", root / "bank.safetensors"], check=True,
        capture_output=True, text=True).stdout)
    for name, key in ("_image_threshold", "threshold"), ("_pixel_threshold", "pixel_threshold"):
        line = state[f"post_processor.{name}"].item()
        promise(f"{key} is the next float above anomalib's",
                info[key] == float(np.nextafter(np.float32(line), np.float32(np.inf))))


def test_exported(program, root, model):
    run = subprocess.run([program, "bank", "import", "--checkpoint", model, "--output",
                          root / "none"], capture_output=True, text=True)
    promise("an exported model is refused, naming the .ckpt",
            run.returncode == 1 and ".ckpt" in run.stderr, run.stderr.strip())


def main(program):
    from anomalib.models import Patchcore
    with tempfile.TemporaryDirectory() as folder:
        plain, cropped, resized = (pathlib.Path(folder) / n for n in ("plain", "crop", "resized"))
        draw(plain, (256, 256))
        with open(os.devnull, "w") as nothing:
            stdout, sys.stdout = sys.stdout, nothing
            exported = train(plain, backbone="resnet18", layers=["layer2", "layer3"])
            draw(cropped, (128, 160))
            train(cropped, backbone="wide_resnet50_2", layers=["layer1", "layer2"],
                  num_neighbors=3, pre_processor=Patchcore.configure_pre_processor(
                      image_size=(160, 128), center_crop_size=(96, 96)))
            draw(resized, (200, 160))
            train(resized, backbone="resnet18", layers=["layer2", "layer3"])
            sys.stdout = stdout
        compare(program, "resnet18 at its input's size", plain, 1e-4)
        test_thresholds(program, plain)
        test_exported(program, plain, exported)
        compare(program, "wide_resnet50_2, cropped, 3 neighbours", cropped, 1e-4)
        compare(program, "resnet18, resized", resized, 1e-4)
    print(f"1..{count}")


if __name__ == "__main__":
    main(sys.argv[1])
