# SPDX-License-Identifier: LGPL-2.1-or-later
"""anomalib's PatchCore with a bank and weights of ours, and its ONNX export."""
import contextlib
import sys

import torch
from anomalib.models import Patchcore
from anomalib.pre_processing import PreProcessor
from safetensors import safe_open
from safetensors.torch import load_file
from torchvision.transforms.v2 import Normalize

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
NEIGHBOURS = 9
LAYERS = ["layer2", "layer3"]


def make_model(backbone, weights, bank):
    """Normalisation and PatchcoreModel, as Patchcore.forward() runs them; no post-processing."""
    model = Patchcore(
        backbone=backbone,
        layers=list(LAYERS),
        pre_trained=False,
        num_neighbors=NEIGHBOURS,
        pre_processor=PreProcessor(transform=Normalize(**IMAGENET)),
        post_processor=False,
        evaluator=False,
        visualizer=False,
    )
    network = model.model.feature_extractor.feature_extractor
    ours = load_file(weights)
    wanted = network.state_dict()
    missing = [n for n in wanted if n not in ours and not n.endswith("num_batches_tracked")]
    if missing:
        raise ValueError(f"{weights} lacks {missing[0]}")
    network.load_state_dict({n: ours.get(n, wanted[n]) for n in wanted})
    with safe_open(bank, "pt") as file:
        model.model.memory_bank = file.get_tensor("bank")
    return model.eval()


def export(backbone, weights, bank, batch, size, output):
    """What anomalib's to_onnx() does, of a fixed batch: its own makes a model of two pictures only,
    since PatchcoreModel.nearest_neighbors() branches on their number."""
    model = make_model(backbone, weights, bank)
    with contextlib.redirect_stdout(sys.stderr):
        torch.onnx.export(
            model=model,
            args=(torch.zeros(batch, 3, size, size),),
            f=output,
            opset_version=18,
            input_names=["input"],
            output_names=["pred_score", "anomaly_map"],
            dynamo=True,
            external_data=False,
        )


if __name__ == "__main__":
    given = sys.argv[1:]
    export(given[0], given[1], given[2], int(given[3]), int(given[4]), given[5])
