#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Trains the built-in network.

    train.py --teacher FILE --output FILE [--photographs FOLDER] [--steps N] [--seed S]

It learns to predict what torchvision's ResNet-18 (FILE: its weights as safetensors, IMAGENET1K_V1)
makes of a picture in layer2 and layer3, as principal components: knowledge distillation (Hinton et
al. 2015) of features. FOLDER: what the script `photographs` brings; without it procedural pictures
alone. The packages are in requirements.txt. docs/builtin-network.md has what came of it.
"""
import argparse
import math
import pathlib
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
from torch.nn import functional as F

import network
import pictures

SIDE = 128          # of a crop
BATCH = 32
PROCEDURAL = 800    # pictures, and their share of the crops
SHARE = 0.25
HELD_OUT = 0.03     # of each kind of picture, to see how far it has come
PEAK_RATE = 4e-3
WARM_UP = 100       # steps
DECAY = 0.05
KEPT = 0.998        # of the moving average of weights, a step
REPORT = 250        # steps


def gather(folder, seed):
    """Lists of pictures: to learn from and held out, procedural ones and photographs."""
    kinds = [pictures.drawn(PROCEDURAL, seed)]
    if folder:
        sources = sorted(p for p in pathlib.Path(folder).iterdir() if p.is_dir())
        kinds.append([p for source in sources for p in pictures.photographs(source, seed)])
        print(f"{len(kinds[1])} photographs and textures from {len(sources)} sources", flush=True)
    order = torch.Generator().manual_seed(seed)
    split = []
    for kind in kinds:
        mixed = [kind[i] for i in torch.randperm(len(kind), generator=order)]
        held = max(8, round(HELD_OUT * len(mixed)))
        split.append((mixed[held:], mixed[:held]))
    return split


class Mix:
    """Batches with so many procedural crops, the rest of photographs where there are any."""

    def __init__(self, kinds, seed):
        self.crops = [pictures.Crops(kind, SIDE, seed + i) for i, kind in enumerate(kinds)]

    def batch(self, number):
        drawn = BATCH if len(self.crops) == 1 else round(SHARE * BATCH)
        parts = [self.crops[0].batch(number, drawn)]
        if drawn < BATCH:
            parts.append(self.crops[1].batch(number, BATCH - drawn))
        return np.concatenate(parts)


MIX = None  # of the process that draws


def start_drawing(kinds, seed):
    global MIX
    MIX = Mix(kinds, seed)
    torch.set_num_threads(1)


def draw(number):
    return MIX.batch(number)


def prepared(mix, numbers, workers, ahead=6):
    """The batches in order, drawn some ahead in other processes."""
    with ProcessPoolExecutor(workers, initializer=start_drawing, initargs=mix) as pool:
        waiting = []
        for number in numbers:
            waiting.append(pool.submit(draw, number))
            if len(waiting) > ahead:
                yield waiting.pop(0).result()
        for last in waiting:
            yield last.result()


def components(teacher, mix):
    """Principal components of what the teacher makes of some batches."""
    rows = [[], []]
    for number in range(10 ** 6, 10 ** 6 + 24):
        with torch.inference_mode():
            layers = teacher(network.normalised(mix.batch(number)))
        for kept, layer in zip(rows, layers):
            flat = network.averaged(layer).permute(0, 2, 3, 1).flatten(0, 2)
            kept.append(flat[::4].clone())
    found = [network.Components.of(torch.cat(r), count)
             for r, count in zip(rows, (network.FINE, network.COARSE))]
    print("share of the variance in the components: "
          + ", ".join(f"{share:.4f}" for _, share in found), flush=True)
    return [axes for axes, _ in found]


def targets(teacher, axes, images):
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        layers = teacher(images)
    return [axis(network.averaged(layer.float())) for axis, layer in zip(axes, layers)]


def missed(outputs, wanted):
    """Of each layer the share of its variance that is not predicted."""
    return [F.mse_loss(network.averaged(o.float()), w) / w.square().mean()
            for o, w in zip(outputs, wanted)]


def rate(step, steps):
    if step < WARM_UP:
        return PEAK_RATE * (step + 1) / WARM_UP
    return PEAK_RATE * 0.5 * (1 + math.cos(math.pi * (step - WARM_UP) / (steps - WARM_UP)))


def judge(student, teacher, axes, mix):
    """What is missed of pictures that were held out."""
    student.eval()
    sums = [0.0, 0.0]
    count = 8
    for number in range(2 * 10 ** 6, 2 * 10 ** 6 + count):
        images = network.normalised(mix.batch(number))
        with torch.inference_mode():
            found = missed(student(images), targets(teacher, axes, images))
        sums = [s + float(f) / count for s, f in zip(sums, found)]
    student.train()
    return sums


def train(options):
    torch.manual_seed(options.seed)
    split = gather(options.photographs, options.seed)
    learnt, held = ([kind[i] for kind in split] for i in range(2))
    teacher = network.Teacher(options.teacher)
    axes = components(teacher, Mix(learnt, options.seed))
    student = network.Student()
    average = torch.optim.swa_utils.AveragedModel(
        student, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(KEPT), use_buffers=True)
    optimizer = torch.optim.AdamW(student.parameters(), lr=PEAK_RATE, weight_decay=DECAY)
    batches = prepared((learnt, options.seed), range(options.steps), options.workers)
    begun, lately = time.monotonic(), 0.0
    for step, batch in enumerate(batches):
        images = network.normalised(batch)
        wanted = targets(teacher, axes, images)
        optimizer.param_groups[0]["lr"] = rate(step, options.steps)
        with torch.autocast("cpu", torch.bfloat16):
            outputs = student(images)
        loss = sum(missed(outputs, wanted))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average.update_parameters(student)
        lately += float(loss.detach()) / REPORT
        if (step + 1) % REPORT == 0 or step + 1 == options.steps:
            fine, coarse = judge(average.module, teacher, axes, Mix(held, options.seed))
            print(f"step {step + 1}: loss {lately:.4f}, missed of pictures held out: fine "
                  f"{fine:.4f}, coarse {coarse:.4f}; {time.monotonic() - begun:.0f} s", flush=True)
            lately = 0.0
            network.save(average.module, options.output, {"steps": str(step + 1),
                                                          "seed": str(options.seed)})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--teacher", required=True, type=pathlib.Path)
    parser.add_argument("--output", required=True, type=pathlib.Path)
    parser.add_argument("--photographs", type=pathlib.Path)
    parser.add_argument("--steps", type=int, default=8500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="processes that draw crops")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
