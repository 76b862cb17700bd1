# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whole pictures, from 224 x 224 pixels to score and map: normalisation, network, embedding, search,
Eq. 7 and map. Ours takes bytes, the peers floats in 0..1 that were made before."""
import dataclasses
import pathlib
import sys
import tempfile

from safetensors.torch import save_file

from .. import inputs, reference
from ..contest import Contestant, measure, prepared, started, summary, with_ratios
from ..places import WORKER, log
from ..process import THREADS
from ..store import made

PICKS = 8  # pictures of a group that are held against the reference
MANY = 100000  # a turn on a GPU takes the pictures again and again


@dataclasses.dataclass
class Case:
    backbone: str
    weights: pathlib.Path
    bank: pathlib.Path
    pictures: pathlib.Path
    groups: dict  # name -> (first, count), of the pictures
    device: str = "cpu"

    def picks(self):
        return [first + i for first, count in self.groups.values() for i in range(min(PICKS, count))]

    def reference(self):
        """fp64 "scores" and "maps" of the picks."""

        def make(output):
            pictures = inputs.tensor(self.pictures, "pictures")[self.picks()]
            rows = inputs.tensor(self.bank, "bank")
            found = reference.scores_and_maps(self.backbone, self.weights, rows, pictures)
            save_file({"scores": found[0], "maps": found[1].contiguous()}, output)

        recipe = {"bank": self.bank, "pictures": self.pictures, "picks": self.picks()}
        return made("reference", ".safetensors", recipe, make)


def relative(found, wanted):
    """The largest difference, relative to each wanted value; of maps to each map's largest."""
    wanted = wanted.double()
    scale = wanted.abs() if wanted.dim() == 1 else wanted.amax((1, 2), keepdim=True)
    return float(((found.double() - wanted).abs() / scale).max())


def makers(case, batch):
    """name -> function that starts a contestant which is ready to score."""
    common = {
        "backbone": case.backbone, "weights": case.weights, "bank": case.bank,
        "device": case.device,
    }  # fmt: skip

    def ours(precision):
        def make(name):
            one = Contestant(name, [WORKER, THREADS], log(name), ours=True)
            return prepared(one, "open", precision=precision, **common)

        return make

    def peer(module, with_export=False):
        def make(name):
            model = None
            if with_export:
                model = inputs.export(case.backbone, case.weights, case.bank, batch)
            one = Contestant(name, [sys.executable, "-m", f"speed.peers.{module}"], log(name))
            return prepared(one, "open", batch=batch, model=model, **common)

        return make

    if case.device != "cpu":
        return {
            "ours fp32": ours("fp32"),
            "ours bf16": ours("bf16"),
            "ours fp16": ours("fp16"),
            "anomalib torch": peer("anomalib_torch"),
        }
    return {
        "ours fp32": ours("fp32"),
        "ours bf16": ours("bf16"),
        "anomalib torch": peer("anomalib_torch"),
        "ONNX Runtime": peer("onnx_runtime", with_export=True),
        "OpenVINO": peer("openvino_runtime", with_export=True),
    }


def errors(one, case, batch):
    """Of scores and maps, against fp64."""
    with tempfile.TemporaryDirectory() as folder:
        output = pathlib.Path(folder, "results")
        one.process.ask("results", indices=case.picks(), batch=batch, output=output)
        wanted = case.reference()
        return {
            f"{what[:-1]}_error": relative(inputs.tensor(output, what), inputs.tensor(wanted, what))
            for what in ("scores", "maps")
        }


def score(case, batches, options, shortest=0.5):
    """Rows of each batch size and group."""
    rows, missing = [], {}
    case.reference()
    for batch in batches:
        with started(makers(case, batch)) as (contestants, left_out):
            missing |= left_out
            for one in contestants:
                one.process.ask("pictures", file=case.pictures)
            for group, (first, count) in case.groups.items():
                longest = max(batch, count) if case.device == "cpu" else MANY
                measure(
                    contestants, options.rounds, "score", lambda n: n, shortest=shortest,
                    longest=longest, step=batch, first=first, batch=batch,
                )  # fmt: skip
                label = {"batch": batch, "group": group}
                rows += with_ratios([one.row | summary(one) | label for one in contestants])
            for one in contestants:
                found = errors(one, case, batch)
                for row in rows:
                    if row["name"] == one.name and row["batch"] == batch:
                        row |= found
    return {"rows": rows, "left_out": missing}


def queries_of(case, count):
    """Our fp32 features of the first pictures of each group, as a file of "rows"."""
    picks = case.picks()[:count]

    def make(output):
        pictures = inputs.tensor(case.pictures, "pictures")[picks]
        save_file({"pictures": pictures.contiguous()}, output)

    recipe = {"of": case.pictures, "picks": picks}
    return inputs.features(
        case.backbone, case.weights, made("pictures", ".safetensors", recipe, make)
    )

