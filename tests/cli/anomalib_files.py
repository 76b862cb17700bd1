#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes checkpoints with the keys that anomalib 2.7.0's have, with Python alone.

    anomalib_files.py FOLDER

The keys are those of a checkpoint that tests/parity/anomalib made. What is to be refused is listed in
FOLDER/refused.txt, a line each: file, what the refusal names.
"""

import math
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "unit"))
from torch_files import FOLDER, Storage, Tensor, module, save  # noqa: E402

ROWS, WIDTH = 20, 64 + 128


class PrecisionType:
    """As an enum that is a text: made anew from its value."""

    def __reduce__(self):
        return PrecisionType, ("float32",)


class Patchcore:
    pass


module("anomalib", PrecisionType=PrecisionType)
module("anomalib.models", Patchcore=Patchcore)


class State(dict):
    def put(self, name, values, *sizes):
        strides = [math.prod(sizes[i + 1:]) for i in range(len(sizes))]
        storage = Storage("Float", values, str(len(self)))
        self[name] = Tensor(storage, tuple(sizes), tuple(strides))

    def convolution(self, name, norm, inputs, outputs, side):
        prefix = "model.feature_extractor.feature_extractor."
        count, scale = outputs * inputs * side * side, math.sqrt(3 / (inputs * side * side))
        values = [scale * (2 * numbers.random() - 1) for _ in range(count)]
        self.put(prefix + name + ".weight", values, outputs, inputs, side, side)
        for part, value in ("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1):
            self.put(f"{prefix}{norm}.{part}", [value] * outputs, outputs)


numbers = random.Random(0)


def network():
    """resnet18 to layer2."""
    state = State()
    state.convolution("conv1", "bn1", 3, 64, 7)
    for stage, (inputs, outputs) in enumerate(((64, 64), (64, 128)), 1):
        for block in range(2):
            name = f"layer{stage}.{block}."
            state.convolution(name + "conv1", name + "bn1", inputs, outputs, 3)
            state.convolution(name + "conv2", name + "bn2", outputs, outputs, 3)
            if inputs != outputs:
                state.convolution(name + "downsample.0", name + "downsample.1", inputs, outputs, 1)
            inputs = outputs
    return state


def step(name, **arguments):
    return {"class_path": "torchvision.transforms.v2." + name, "init_args": arguments}


def resize(size, **more):
    return step("Resize", **{"size": size, "interpolation": "bilinear", "max_size": None,
                             "antialias": True, **more})


NORMALIZE = step("Normalize", mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225], inplace=False)


def transforms(*steps):
    return {"transform": step("Compose", transforms=list(steps))}


def scores(state, **values):
    nan = float("nan")
    known = dict(_image_threshold=0.8, _pixel_threshold=nan, image_min=0.2, image_max=1.2,
                 pixel_min=0.1, pixel_max=2.1)
    for name, value in {**known, **values}.items():
        state.put("post_processor." + name, [value])


def bank(state, values=None, width=WIDTH):
    values = values or [i % 97 / 97 for i in range(ROWS * width)]
    state.put("model.memory_bank", values, ROWS, width)


def checkpoint(state):
    return {
        "epoch": 1, "global_step": 3, "pytorch-lightning_version": "2.6.6", "state_dict": state,
        "callbacks": {"PostProcessor": {}}, "optimizer_states": [{}], "hparams_name": "kwargs",
        "hyper_parameters": {
            "backbone": "resnet18", "layers": ["layer1", "layer2"], "pre_trained": False,
            "coreset_sampling_ratio": 0.1, "num_neighbors": 5, "precision": PrecisionType()},
        "anomalib_pre_processor_config": transforms(resize([64, 96]), NORMALIZE),
        "anomalib_post_processor_config": {
            "enable_normalization": True, "enable_thresholding": True,
            "enable_threshold_matching": True, "image_sensitivity": 0.5, "pixel_sensitivity": 0.5}}


def whole(**values):
    state = State(NETWORK)
    bank(state)
    scores(state, **values)
    return checkpoint(state)


def write_good():
    save("model.ckpt", whole())
    other = whole(_pixel_threshold=0.6)
    other["anomalib_post_processor_config"].update(image_sensitivity=0.75, pixel_sensitivity=0.25)
    other["anomalib_pre_processor_config"] = transforms(
        resize(72), step("CenterCrop", size=[64, 64]), NORMALIZE)
    other["hyper_parameters"].update(backbone="resnet18.tv_in1k", num_neighbors=1)
    save("other.ckpt", other)
    save("no_threshold.ckpt", whole(_image_threshold=float("nan")))
    nothing = float("nan")
    save("no_range.ckpt", whole(image_min=nothing, image_max=nothing, pixel_min=nothing))


REFUSED = []


def refused(name, named, change):
    value = whole()
    value = change(value) or value
    save(name, value)
    REFUSED.append((name, named))


def write_refused():
    def parameters(**values):
        return lambda c: c["hyper_parameters"].update(values)

    def prepared(*steps):
        return lambda c: c.update(anomalib_pre_processor_config=transforms(*steps))

    def without(key):
        return lambda c: c.pop(key) and None

    def rows(**how):
        return lambda c: bank(c["state_dict"], **how)

    nan = [float("nan")] + [0.5] * (ROWS * WIDTH - 1)
    size = resize([64, 96])
    conv1 = "model.feature_extractor.feature_extractor.conv1.weight"
    for name, named, change in (
            ("network", "mobilenetv3", parameters(backbone="mobilenetv3")),
            ("builtin", "builtin", parameters(backbone="builtin")),
            ("layers", "layer9", parameters(layers=["layer9"])),
            ("neighbours", "num_neighbors", parameters(num_neighbors=0)),
            ("parameters", "hyper_parameters", without("hyper_parameters")),
            ("transform", "Grayscale", prepared(size, step("Grayscale"), NORMALIZE)),
            ("twice", "Resize", prepared(size, size, NORMALIZE)),
            ("no_resize", "not resized", prepared(NORMALIZE)),
            ("no_normalize", "not normalized", prepared(size)),
            ("colours", "ImageNet",
             prepared(size, step("Normalize", mean=[0.5] * 3, std=[0.5] * 3))),
            ("nearest", "bilinear", prepared(resize([64, 96], interpolation="nearest"), NORMALIZE)),
            ("aliased", "antialiased", prepared(resize([64, 96], antialias=False), NORMALIZE)),
            ("shorter", "shorter side", prepared(resize(64), NORMALIZE)),
            ("stride", "stride", prepared(resize([60, 60]), NORMALIZE)),
            ("oblong", "square", prepared(size, step("CenterCrop", size=[32, 64]), NORMALIZE)),
            ("huge", "size", prepared(resize([2**40, 64]), NORMALIZE)),
            ("pictures", "anomalib_pre_processor_config", without("anomalib_pre_processor_config")),
            ("scores", "anomalib_post_processor_config", without("anomalib_post_processor_config")),
            ("no_bank", "memory bank", lambda c: c["state_dict"].pop("model.memory_bank") and None),
            ("nan", "NaN", rows(values=nan)),
            ("width", "embeddings of 64", rows(width=64)),
            ("no_weights", "conv1.weight", lambda c: c["state_dict"].pop(conv1) and None),
            ("exported", ".ckpt", lambda c: {"model": Patchcore()}),
            ("weights", ".ckpt", lambda c: c["state_dict"])):
        refused(name + ".ckpt", named, change)
    code = whole()
    code["callbacks"] = Code()
    save("code.ckpt", code)
    REFUSED.append(("code.ckpt", "posix.system"))


class Code:
    def __reduce__(self):
        import os
        return os.system, (f"touch {FOLDER / 'pwned'}",)


NETWORK = network()

if __name__ == "__main__":
    write_good()
    write_refused()
    (FOLDER / "refused.txt").write_text("".join("\t".join(r) + "\n" for r in REFUSED))
