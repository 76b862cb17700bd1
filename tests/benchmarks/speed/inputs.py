# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pictures, weights, features, coresets and banks, each made once."""
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from .network import write_random_weights
from .places import PATCHCORE, ROOT, SCENE, SHARED, WORKER, log
from .process import THREADS, Failed, Process
from .store import content, made

SIDE = 224
PATCHES = (SIDE // 8) ** 2  # of a picture: layer 2 has a stride of 8
SEED = 6


def tensor(path, name):
    with safe_open(path, "pt") as file:
        return file.get_tensor(name)


def ours(name):
    """Nothing is timed here: its threads need not spin."""
    return Process([WORKER, THREADS], log(name), {"OMP_WAIT_POLICY": "passive"})


def _write_pictures(files, output):
    pictures = []
    for file in files:
        picture = Image.open(file).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        pictures.append(torch.from_numpy(numpy.array(picture)))
    save_file({"pictures": torch.stack(pictures)}, output)


def scene_pictures(part, count, seed):
    """part: "train/good", or "test" for good and defective parts in turn."""

    def make(output):
        with tempfile.TemporaryDirectory() as folder:
            number = {"train": "0", "test": "0", part.split("/")[0]: str(count)}
            options = [f"--{name}={value}" for name, value in number.items()]
            subprocess.run(
                [SCENE, "dataset", "--output", folder, "--size", f"{SIDE}x{SIDE}"]
                + ["--seed", str(seed), *options],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            files = sorted(pathlib.Path(folder, part).rglob("*.png"), key=lambda f: (f.name, f.parent))
            _write_pictures(files[:count], output)

    recipe = {"scene": part, "count": count, "seed": seed, "side": SIDE, "generator": content(SCENE)}
    return made("pictures", ".safetensors", recipe, make)


def tile_pictures(parts):
    """Pictures of Magnetic Tile: {"train/good": 200, ...}, evenly out of each folder."""
    files = []
    for part, count in parts.items():
        folders = sorted((SHARED / "mtd").glob(part))
        found = sorted(f for folder in folders for f in folder.iterdir())
        files += [found[i * len(found) // count] for i in range(min(count, len(found)))]
    recipe = {"files": [str(f.relative_to(SHARED)) for f in files], "side": SIDE}
    return made("pictures", ".safetensors", recipe, lambda output: _write_pictures(files, output))


def random_weights(backbone, pictures):
    recipe = {"backbone": backbone, "seed": SEED, "pictures": pictures}
    return made(
        "weights",
        ".safetensors",
        recipe,
        lambda output: write_random_weights(backbone, tensor(pictures, "pictures"), SEED, output),
    )


def features(backbone, weights, pictures, preset="anomalib"):
    """Our own, fp32: "rows"."""

    def make(output):
        with ours("embed") as worker:
            worker.ask(
                "embed", backbone=backbone, weights=weights, file=pictures, output=output,
                device="cpu", precision="fp32", preset=preset,
            )  # fmt: skip

    recipe = {"weights": weights, "pictures": pictures, "preset": preset}
    return made("features", ".safetensors", recipe, make)


def coreset(rows, count, preset="anomalib"):
    """Our own: "rows", indices in the order of choice, and "projected", what they were chosen in."""

    def make(output):
        with ours("coreset") as worker:
            worker.ask(
                "coreset", file=rows, tensor="rows", count=count, preset=preset, seed=SEED,
                device="cpu", projected=True, output=output,
            )  # fmt: skip

    return made("coreset", ".safetensors", {"rows": rows, "count": count, "preset": preset}, make)


def bank(backbone, weights, rows, chosen, count):
    """Of the first `count` rows of a coreset."""

    def make(output):
        with tempfile.TemporaryDirectory() as folder:
            embeddings = pathlib.Path(folder, "embeddings.safetensors")
            picked = tensor(chosen, "rows")[:count]
            save_file({"bank": tensor(rows, "rows")[picked].contiguous()}, embeddings)
            subprocess.run(
                [PATCHCORE, "bank", "import", "--embeddings", embeddings, "--output", output]
                + ["--backbone", backbone, "--weights", weights, "--preset", "anomalib"]
                + ["--resize", f"{SIDE}x{SIDE}", "--precision", "fp32", "--device", "cpu"],
                check=True,
                stdout=sys.stderr,
            )

    return made("bank", ".safetensors", {"chosen": chosen, "weights": weights, "count": count}, make)


def export(backbone, weights, bank_file, batch):
    """anomalib's ONNX export of a bank."""

    def make(output):
        words = [backbone, weights, bank_file, batch, SIDE, output]
        with open(log("export"), "w", encoding="utf-8") as errors:
            done = subprocess.run(
                [sys.executable, "-m", "speed.peers.anomalib_model", *map(str, words)],
                stdout=errors,
                stderr=errors,
            )
        if done.returncode != 0:
            raise Failed(f"anomalib can't be exported, see {errors.name}")

    return made("export", ".onnx", {"bank": bank_file, "weights": weights, "batch": batch}, make)


def uniform(rows, width, seed):
    """Vectors whose values are uniform in 0..1: "rows"."""

    def make(output):
        generator = torch.Generator().manual_seed(seed)
        save_file({"rows": torch.rand(rows, width, generator=generator)}, output)

    return made("uniform", ".safetensors", {"rows": rows, "width": width, "seed": seed}, make)


def commit():
    done = subprocess.run(
        ["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True
    )
    return done.stdout.strip()
