# SPDX-License-Identifier: LGPL-2.1-or-later
"""The other end of process.py, for the peers that are Python.

Requests, as benchmark-worker has them too; files are safetensors:

    open        bank, weights, backbone, device, precision, batch, model: be ready to score
    pictures    file: "pictures", N x H x W x 3 uint8
    score       first, count, batch -> seconds; again from picture 0 behind the last
    results     indices, batch, output: "scores", "maps"
    index       file, tensor, queries, queries_tensor, device -> seconds: be ready to search
    search      first, count, k -> seconds
    neighbours  k, output: "distances"
    coreset     file, tensor, count, preset, seed, output, device -> seconds
"""
import json
import os
import sys
import time
import traceback

import numpy
from safetensors import safe_open
from safetensors.numpy import save_file

from .process import THREADS


def load(file, tensor):
    with safe_open(file, "numpy") as opened:
        return opened.get_tensor(tensor)


class Scorer:
    """A peer that scores pictures. run(): N x 3 x H x W float in 0..1 -> scores, maps, as numpy."""

    pictures_ = None

    def open(self, request):
        raise NotImplementedError

    def run(self, pictures):
        raise NotImplementedError

    def pictures(self, request):
        rgb = load(request["file"], "pictures")
        self.pictures_ = numpy.ascontiguousarray(rgb.transpose(0, 3, 1, 2)).astype("float32") / 255
        return {"count": len(self.pictures_)}

    def _batches(self, indices, batch):
        return [
            numpy.ascontiguousarray(self.pictures_[indices[i : i + batch]])
            for i in range(0, len(indices), batch)
        ]

    def score(self, request):
        last = request["first"] + request["count"]
        indices = [i % len(self.pictures_) for i in range(request["first"], last)]
        batches = self._batches(indices, request["batch"])
        start = time.perf_counter()
        for batch in batches:
            self.run(batch)
        return {"seconds": time.perf_counter() - start}

    def results(self, request):
        found = [self.run(some) for some in self._batches(request["indices"], request["batch"])]
        scores, maps = (numpy.concatenate(part) for part in zip(*found))
        tensors = {"scores": scores.astype("float64").ravel(), "maps": maps[:, 0]}
        save_file({k: numpy.ascontiguousarray(v) for k, v in tensors.items()}, request["output"])
        return {}


class Searcher:
    """A peer that searches vectors. find(): queries, k -> distances Q x k."""

    queries = None

    def prepare(self, bank, device):
        """bank: K x D float32, numpy."""
        raise NotImplementedError

    def place(self, queries, _device):
        return queries

    def find(self, queries, k):
        raise NotImplementedError

    def index(self, request):
        device = request["device"]
        self.queries = self.place(load(request["queries"], request["queries_tensor"]), device)
        bank = load(request["file"], request["tensor"])
        start = time.perf_counter()
        self.prepare(bank, device)
        return {"seconds": time.perf_counter() - start}

    def search(self, request):
        queries = self.queries[request["first"] : request["first"] + request["count"]]
        start = time.perf_counter()
        self.find(queries, request["k"])
        return {"seconds": time.perf_counter() - start}

    def neighbours(self, request):
        found = numpy.asarray(self.find(self.queries, request["k"]), "float64")
        save_file({"distances": numpy.ascontiguousarray(found)}, request["output"])
        return {}


def serve(peer):
    """Answers requests with the peer's methods. What else it prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(answer):
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    say({"ready": True, "threads": THREADS})
    for line in sys.stdin:
        try:
            request = json.loads(line)
            say(getattr(peer, request["do"])(request))
        except Exception as error:  # the driver decides what becomes of it
            traceback.print_exc()
            say({"error": f"{type(error).__name__}: {error}".splitlines()[0]})
