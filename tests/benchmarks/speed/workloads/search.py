# SPDX-License-Identifier: LGPL-2.1-or-later
"""The nearest row of each of a picture's 784 vectors, which are given: the search alone."""
import pathlib
import sys
import tempfile

from safetensors.torch import save_file

from .. import inputs, reference
from ..contest import Contestant, measure, prepared, started, summary, with_ratios
from ..places import WORKER, log
from ..process import THREADS
from ..store import made
from .scoring import relative

PEERS = {
    "faiss IndexFlatL2": ("faiss_flat",),
    "anomalib torch": ("anomalib_torch",),
}
PRODUCTS = {
    "torch.cdist": ("torch_search", "cdist"),
    "torch bf16 product, checked": ("torch_search", "checked"),
    "torch bf16 product alone": ("torch_search", "product"),
}
INEXACT = {"torch bf16 product alone"}


def wanted_distances(bank, name, queries):
    def make(output):
        rows, tested = inputs.tensor(bank, name), inputs.tensor(queries, "rows")
        save_file({"distances": reference.distances(tested, rows, 1)[0].contiguous()}, output)

    recipe = {"bank": bank, "queries": queries}
    return inputs.tensor(made("distances", ".safetensors", recipe, make), "distances")


def error(one, wanted):
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder, "found")
        one.process.ask("neighbours", k=1, output=output)
        found = inputs.tensor(output, "distances")
    return {"distance_error": relative(found.reshape(-1), wanted.reshape(-1))}


def search(bank, tensor, queries, options, peers=None, device="cpu"):
    """bank, queries: files; tensor: the bank's name in its file. Times are of 784 vectors."""
    given = {"file": bank, "tensor": tensor, "queries": queries, "queries_tensor": "rows"}

    def maker(command, ours=False):
        def make(name):
            one = Contestant(name, command, log(name), ours=ours)
            return prepared(one, "index", device=device, **given)

        return make

    makers = {"ours": maker([WORKER, THREADS], ours=True)}
    for name, (module, *words) in (peers or PEERS).items():
        makers[name] = maker([sys.executable, "-m", f"speed.peers.{module}", *words])
    wanted = wanted_distances(bank, tensor, queries)
    pictures = len(wanted) // inputs.PATCHES
    with started(makers) as (contestants, left_out):
        measure(
            contestants, options.rounds, "search", lambda n: n * inputs.PATCHES,
            longest=pictures, first=0, k=1,
        )  # fmt: skip
        rows = []
        for one in contestants:
            exact = {"exact": False} if one.name in INEXACT else {}
            rows.append(summary(one) | {"group": "search alone"} | exact | error(one, wanted))
    return {"rows": with_ratios(rows), "left_out": left_out}
