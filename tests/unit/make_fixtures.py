#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the expected values of the unit tests, beside itself, with other implementations.

Made with Python 3.11, torch 2.11.0, torchvision 0.26.0, Pillow 13.0.0, safetensors 0.8.0 and
scipy 1.17.1. Nothing of it is needed to build or test: the results are checked in.
"""

import pathlib

import numpy as np
import PIL.Image
import safetensors.torch
import scipy.ndimage
import torch
import torchvision

HERE = pathlib.Path(__file__).parent


def noise(name, shape):
    """The numbers of noise() in support.hpp: uniform in [-1, 1), the same everywhere."""
    seed = 2166136261
    for byte in name.encode():
        seed = (seed ^ byte) * 16777619 % 2**32
    h = (seed + np.arange(np.prod(shape), dtype=np.uint64) * 0x9E3779B9) % 2**32
    h = (h ^ h >> np.uint64(16)) * 0x85EBCA6B % 2**32
    h = (h ^ h >> np.uint64(13)) * 0xC2B2AE35 % 2**32
    h = h ^ h >> np.uint64(16)
    return (h / 2**31 - 1).reshape(shape)


def header(name, source, body):
    (HERE / f"{name}_fixture.hpp").write_text(
        f"""// SPDX-License-Identifier: LGPL-2.1-or-later
// Written by make_fixtures.py: {source}
#pragma once

#include <array>
#include <cstdint>

// clang-format off
{body}// clang-format on
""")


def array(name, values, type="uint8_t", digits=None):
    words = [f"{v:.{digits}e}" if digits else str(int(v)) for v in np.asarray(values).flatten()]
    lines, line = [], ""
    for word in words:
        if len(line) + len(word) + 2 > 98:
            lines.append(line)
            line = ""
        line += word + ","
    text = "\n  ".join(lines + [line])
    return f"inline constexpr std::array<{type}, {len(words)}> {name}{{\n  {text}\n}};\n"


def picture(width, height):
    """The picture of pattern() in test_preprocess.cpp."""
    x, y, c = np.meshgrid(np.arange(width), np.arange(height), np.arange(3))
    return PIL.Image.fromarray(((x * 7 + y * 13 + x * y * (c + 1)) % 256).astype(np.uint8))


def make_pillow():
    bilinear = torchvision.transforms.InterpolationMode.BILINEAR
    cropped = torchvision.transforms.Compose([
        torchvision.transforms.Resize(24, bilinear), torchvision.transforms.CenterCrop(16)])
    # As torchvision resizes a tensor: interpolate() with antialias, in fp64.
    pixels = torch.from_numpy(np.array(picture(61, 47))).permute(2, 0, 1)[None].double()
    floats = torch.nn.functional.interpolate(pixels, (16, 24), mode="bilinear", antialias=True)
    header("pillow", "resized by Pillow, BILINEAR, rows of RGB",
           array("kDown61x47To24x16", picture(61, 47).resize((24, 16), PIL.Image.BILINEAR))
           + array("kUp13x11To24x32", picture(13, 11).resize((24, 32), PIL.Image.BILINEAR))
           + array("kDown61x47To24x16Floats", floats[0].permute(1, 2, 0), "double", digits=6)
           + "// torchvision's Resize(24) and CenterCrop(16)\n"
           + array("kShorterSide24Crop16", cropped(picture(61, 47))))


def make_safetensors():
    tensors = {
        "flags": torch.tensor([True, False, True]),
        "values": torch.tensor([[1.5, -2.0], [0.25, 3e38]]),
        "scalar": torch.tensor(-7, dtype=torch.int64),
        "empty": torch.zeros(0, 3, dtype=torch.float16),
        "brain": torch.tensor([1.0, -0.5], dtype=torch.bfloat16),
    }
    data = safetensors.torch.save(tensors, {"made by": "safetensors \u2713", "empty": ""})
    header("safetensors", "safetensors.torch.save()", array("kPythonFile", list(data)))


def parameter(name, value):
    """The numbers of resnet_parameters() in network_weights.hpp."""
    u = noise(name, tuple(value.shape))
    if value.dim() == 4:
        u = u * np.sqrt(3 / np.prod(value.shape[1:]))
    elif name.endswith("running_var"):
        u = 1 + 0.5 * u
    elif name.endswith("weight"):
        u = 1 + 0.25 * u
    else:
        u = 0.25 * u
    return torch.from_numpy(u.astype(np.float32)).double()


def layers_of(net, image):
    """The usual layers' outputs by their names."""
    if hasattr(net, "features"):
        for index, block in enumerate(net.features[:14]):
            image = block(image)
            if index in (6, 13):
                yield f"features.{index}", image
        return
    x = net.layer1(net.maxpool(net.relu(net.bn1(net.conv1(image)))))
    for layer in "layer2", "layer3":
        x = getattr(net, layer)(x)
        yield layer, x


def make_networks():
    body = ("struct Sample {\n  int64_t index;\n  double value;\n};\n\n"
            "struct LayerSamples {\n  const char* net;\n  const char* layer;\n  double mean;\n"
            "  std::array<Sample, 16> samples;\n};\n\n"
            "inline constexpr std::array<LayerSamples, 8> kNetworks{{\n")
    image = torch.from_numpy((noise("input", (1, 3, 64, 64)) * np.sqrt(3)).astype(np.float32))
    for name in "resnet18", "resnet50", "wide_resnet50_2", "mobilenet_v2":
        net = getattr(torchvision.models, name)(weights=None).double().eval()
        state = net.state_dict()
        for key, value in state.items():
            if key.startswith(("layer4", "fc", "features.18", "classifier")):
                continue
            if not key.endswith("num_batches_tracked"):
                state[key] = parameter(key, value)
        net.load_state_dict(state)
        with torch.no_grad():
            for layer, x in layers_of(net, image.double()):
                flat = x.flatten()
                indices = [(k * 7919 + 13) % flat.numel() for k in range(4096)]
                large = list(dict.fromkeys(i for i in indices if abs(flat[i]) > 0.05))[:14]
                # Rectified layers have zeros; the others' smallest values take their place.
                small = sorted(set(indices) - set(large), key=lambda i: abs(flat[i]))[:2]
                samples = ",\n  ".join(f"{{{i}, {flat[i]:.9e}}}" for i in large + small)
                body += f'{{"{name}", "{layer}", {x.mean():.9e}, {{{{\n  {samples}\n}}}}}},\n'
    header("network", "torchvision in fp64 on noise()'s numbers, of the flattened maps",
           body + "}};\n")


def make_map():
    """A 5 x 4 map (width x height) brought to 40 x 32 and blurred, at some places."""
    patches = torch.from_numpy(noise("map", (1, 1, 4, 5)) + 1)
    places = [(0, 0), (39, 0), (0, 31), (39, 31), (20, 16), (3, 9), (31, 2), (17, 30)]
    smooth = torch.nn.functional.interpolate(patches, (32, 40), mode="bilinear")[0, 0].numpy()
    official = scipy.ndimage.gaussian_filter(smooth, sigma=4)
    x = torch.arange(-16, 17, dtype=torch.float64)
    kernel = torch.exp(-x**2 / 32)
    kernel = torch.outer(kernel, kernel) / kernel.sum()**2
    blocks = torch.nn.functional.interpolate(patches, (32, 40), mode="nearest")
    padded = torch.nn.functional.pad(blocks, (16, 16, 16, 16), mode="reflect")
    anomalib = torch.nn.functional.conv2d(padded, kernel[None, None])[0, 0].numpy()
    body = "struct MapValue {\n  int64_t x, y;\n  double value;\n};\n\n"
    for name, values in ("kScipySymmetric", official), ("kTorchReflect", anomalib):
        text = ",\n  ".join(f"{{{x}, {y}, {values[y, x]:.9e}}}" for x, y in places)
        body += f"inline constexpr std::array<MapValue, {len(places)}> {name}{{{{\n  {text}\n}}}};\n"
    header("map", "by scipy.ndimage.gaussian_filter and by torch's pad and conv2d", body)


if __name__ == "__main__":
    make_pillow()
    make_safetensors()
    make_map()
    make_networks()
