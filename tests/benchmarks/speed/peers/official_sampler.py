# SPDX-License-Identifier: LGPL-2.1-or-later
"""The coreset sampler of the paper's authors, written after its description for timing only: it is
in no package. Random linear projection to 128 values; the mean distance to ten random rows is the
first running minimum; then a row at a time: the largest minimum becomes a centre, and the distances
of all rows to it, from a float product, are joined to the minimum."""
import time

import torch
from safetensors import safe_open

from ..process import THREADS
from ..serving import serve

WIDTH, STARTS = 128, 10


def distances(rows, norms, centres):
    products = rows @ centres.t()
    return (norms - 2 * products + centres.square().sum(1)).clamp_min_(0).sqrt_()


def sample(rows, count):
    if rows.shape[1] != WIDTH:
        rows = torch.nn.Linear(rows.shape[1], WIDTH, bias=False).to(rows.device)(rows)
    norms = rows.square().sum(1, keepdim=True)
    starts = torch.randperm(len(rows))[:STARTS].to(rows.device)
    minimum = distances(rows, norms, rows[starts]).mean(1, keepdim=True)
    chosen = []
    for _ in range(count):
        row = int(minimum.argmax())
        chosen.append(row)
        new = distances(rows, norms, rows[row : row + 1])
        minimum = torch.cat([minimum, new], 1).amin(1, keepdim=True)
    return chosen


class OfficialSampler:
    def coreset(self, request):
        with safe_open(request["file"], "pt") as file:
            rows = file.get_tensor(request["tensor"]).to(request["device"])
        torch.manual_seed(request["seed"])
        start = time.perf_counter()
        sample(rows, request["count"])
        return {"seconds": time.perf_counter() - start}


if __name__ == "__main__":
    torch.set_num_threads(THREADS)
    torch.set_grad_enabled(False)
    serve(OfficialSampler())
