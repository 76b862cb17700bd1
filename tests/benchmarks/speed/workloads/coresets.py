# SPDX-License-Identifier: LGPL-2.1-or-later
"""Greedy coresets: ours to the end, the peers on some centres and scaled."""
import pathlib
import sys
import tempfile

from safetensors.torch import save_file

from .. import inputs, reference
from ..contest import Contestant, started, summary, with_ratios
from ..places import WORKER, log
from ..process import THREADS
from ..store import made

FEW, MANY = 40, 400  # centres; the peers' time is linear in them
PEERS = {"anomalib": "anomalib_torch", "official": "official_sampler"}


def scaled(one, count, **fields):
    """Seconds for `count` centres, from those for few and many."""
    few = one.process.ask("coreset", count=FEW, **fields)["seconds"]
    many = one.process.ask("coreset", count=MANY, **fields)["seconds"]
    each = (many - few) / (MANY - FEW)
    return many + each * (count - MANY)


def radii(features, count, chosen):
    """Covering radii, in the space that was chosen in, of our coreset and of exact greedy's from
    the same first centre on."""

    def make(output):
        projected = inputs.tensor(chosen, "projected")
        rows = inputs.tensor(chosen, "rows")
        exact = reference.greedy(projected, int(rows[0]), count)
        found = [reference.radius(projected, some) for some in (rows, exact)]
        save_file({"radii": reference.torch.tensor(found).double()}, output)

    recipe = {"features": features, "chosen": chosen, "count": count}
    ours, exact = inputs.tensor(made("radii", ".safetensors", recipe, make), "radii").tolist()
    return {"radius": ours, "exact_radius": exact}


def coreset(features, count, options, device="cpu", with_radius=True):
    """features: a file of "rows". Each preset beside what it is made after; ours first."""
    rows, missing = [], {}
    for preset, module in PEERS.items():
        fields = {"file": features, "tensor": "rows", "preset": preset, "seed": inputs.SEED}

        def ours(name):
            return Contestant(name, [WORKER, THREADS], log(name), ours=True)

        def peer(name, module=module):
            return Contestant(name, [sys.executable, "-m", f"speed.peers.{module}"], log(name))

        makers = {f"ours, as {preset}": ours, f"{preset}, scaled from {MANY} centres": peer}
        with tempfile.TemporaryDirectory() as folder, started(makers) as (contestants, left_out):
            missing |= left_out
            given = fields | {"device": device, "output": pathlib.Path(folder, "rows")}
            for _ in range(options.coreset_rounds):
                for one in contestants:
                    took = (
                        one.process.ask("coreset", count=count, **given)["seconds"]
                        if one.ours
                        else scaled(one, count, **given)
                    )
                    one.turns.append(took)
                    one.others.append(0)
            rows += with_ratios([summary(one) | {"group": preset} for one in contestants])
    if with_radius:
        chosen = inputs.coreset(features, count)
        rows[0] |= radii(features, count, chosen)
    return {"rows": rows, "left_out": missing, "unit": "a coreset"}
