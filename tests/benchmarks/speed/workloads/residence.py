# SPDX-License-Identifier: LGPL-2.1-or-later
"""Resident memory of a process that scores: above one that has LibTorch loaded and nothing else, and
while thousands of frames go through."""
import sys

import torch
import torchvision
from safetensors import safe_open

from ..contest import Contestant
from ..inputs import PATCHES, SIDE, tensor
from ..network import LAYERS
from ..places import WORKER, log
from ..process import THREADS

PARTS = 20  # of the frames, between which the memory is looked at


def activations(case, batch, side=SIDE):
    """Bytes in fp32 of what a pass must hold at once: the largest input and output of a layer
    together, beside layer 2's output once it is there, and the patches."""
    network = getattr(torchvision.models, case.backbone)(weights=None).eval()
    largest = 0

    def look(_module, inputs, output):
        nonlocal largest
        largest = max(largest, inputs[0].numel() + output.numel())

    leaves = [m for m in network.modules() if not list(m.children())]
    for module in leaves:
        module.register_forward_hook(look)
    kept = 0

    def keep(_module, _inputs, output):
        nonlocal kept
        kept += output.numel()

    for name in LAYERS:
        getattr(network, name).register_forward_hook(keep)
    with torch.inference_mode():
        network(torch.zeros(1, 3, side, side))
    width = tensor(case.bank, "bank").shape[1]
    return 4 * batch * (largest + kept + PATCHES * width)


def least(case, batch):
    """Bytes of the weights that are used, of the bank, and of a batch's activations."""
    with safe_open(case.weights, "pt") as file:
        used = [n for n in file.keys() if not n.startswith(("layer4.", "fc."))]
        weights = sum(4 * file.get_tensor(name).numel() for name in used)
    return weights + 4 * tensor(case.bank, "bank").numel() + activations(case, batch)


def memory(case, options):
    rows = []
    for precision in ("fp32", "bf16"):
        for batch in options.batches:
            print(f"  {precision}, batch {batch}", file=sys.stderr)
            rows.append(watch(case, precision, batch, options))
    return {"rows": rows}


def watch(case, precision, batch, options):
    name = f"ours {precision}"
    with Contestant(name, [WORKER, THREADS], log("memory"), ours=True).process as worker:
        idle = worker.status("VmRSS")
        worker.ask(
            "open", bank=case.bank, weights=case.weights, device="cpu", precision=precision
        )
        worker.ask("pictures", file=case.pictures)
        opened = worker.status("VmRSS")
        worker.forget_peak()
        worker.ask("score", first=0, count=4 * batch, batch=batch)
        peak = worker.status("VmHWM")
        seen = []
        # A few at a time: the worker keeps the maps of a call until its end.
        calls = options.frames // (4 * batch)
        for call in range(calls):
            worker.ask("score", first=4 * batch * call, count=4 * batch, batch=batch)
            if (call + 1) * PARTS // calls > call * PARTS // calls:
                seen.append(worker.status("VmRSS"))
        last = worker.status("VmHWM")
    must = least(case, batch)
    return {
        "name": name,
        "ours": True,
        "batch": batch,
        "idle_mb": idle / 1e6,
        "opened_mb": (opened - idle) / 1e6,
        "peak_mb": (peak - idle) / 1e6,
        "least_mb": must / 1e6,
        "share": (peak - idle) / must,
        "frames": options.frames,
        "growth_mb": (last - peak) / 1e6,
        "seen_mb": [(some - idle) / 1e6 for some in seen],
    }
