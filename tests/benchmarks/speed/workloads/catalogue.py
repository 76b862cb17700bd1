# SPDX-License-Identifier: LGPL-2.1-or-later
"""The workloads by name. Each returns {"rows": [...]} or {"skipped": reason}."""
import torch

from .. import inputs
from ..places import SHARED
from . import coresets, pipeline, residence, scoring, search, startup

TRAIN_SEED, QUERY_SEED = 1, 2
NARROW, WIDE = "resnet18", "wide_resnet50_2"


def merged(*parts):
    return {
        "rows": [row for part in parts for row in part["rows"]],
        "left_out": {k: v for part in parts for k, v in part["left_out"].items()},
    }


def scene(backbone, pictures, rows, options, device="cpu"):
    """Random weights, the generator's pictures. Returns the case and the features that its bank was
    chosen from."""
    train = inputs.scene_pictures("train/good", pictures, TRAIN_SEED)
    weights = inputs.random_weights(backbone, train)
    features = inputs.features(backbone, weights, train)
    bank = inputs.bank(backbone, weights, features, inputs.coreset(features, rows), rows)
    queries = inputs.scene_pictures("test", options.queries, QUERY_SEED)
    groups = {"all": (0, options.queries)}
    return scoring.Case(backbone, weights, bank, queries, groups, device), features


def narrow(options):
    return scene(NARROW, options.train, options.bank, options)


def wide(options, device="cpu"):
    return scene(WIDE, options.train_wide, options.bank_wide, options, device)


def scored_and_searched(case, options):
    queries = scoring.queries_of(case, scoring.PICKS * len(case.groups))
    return merged(
        scoring.score(case, options.batches, options),
        search.search(case.bank, "bank", queries, options),
    )


def w1(options):
    return scored_and_searched(narrow(options)[0], options)


def w2(options):
    return scored_and_searched(wide(options)[0], options)


def tiles_missing():
    for path in (SHARED / "mtd", SHARED / "weights" / "resnet18.safetensors"):
        if not path.exists():
            return {"skipped": f"{path.name} is not in ../shared"}
    return None


def tiles(options, rows, largest):
    """Magnetic Tile with a bank of the first `rows` of a coreset of `largest`."""
    weights = SHARED / "weights" / "resnet18.safetensors"
    train = inputs.tile_pictures({"train/good": options.train})
    features = inputs.features(NARROW, weights, train)
    bank = inputs.bank(NARROW, weights, features, inputs.coreset(features, largest), rows)
    pictures = inputs.tile_pictures(
        {"test/good": options.queries, "test/[!g]*": options.queries}
    )
    groups = {"normal": (0, options.queries), "defective": (options.queries, options.queries)}
    return scoring.Case(NARROW, weights, bank, pictures, groups)


def w3(options):
    return tiles_missing() or scored_and_searched(tiles(options, options.bank, options.bank), options)


def w3g(options):
    if missing := tiles_missing():
        return missing
    parts = []
    for rows in options.banks:
        part = scoring.score(tiles(options, rows, max(options.banks)), (1,), options)
        for row in part["rows"]:
            row["bank"] = rows
        parts.append(part)
    return merged(*parts)


def w1r(options):
    bank = inputs.uniform(options.bank, 384, seed=1)
    queries = inputs.uniform(8 * inputs.PATCHES, 384, seed=2)
    peers = search.PEERS | search.PRODUCTS
    return search.search(bank, "rows", queries, options, peers)


def w4(options):
    features = narrow(options)[1]
    return coresets.coreset(features, options.bank, options)


def w5(options):
    return pipeline.video(options)


def w6(options):
    if not torch.cuda.is_available():
        return {"skipped": "there is no GPU that torch can use"}
    case, _ = wide(options, "cuda")
    train = inputs.scene_pictures("train/good", options.train_wide, TRAIN_SEED)
    features = inputs.features(case.backbone, case.weights, train, preset="official")
    count = options.train_wide * inputs.PATCHES // 10
    return merged(
        scoring.score(case, options.gpu_batches, options, shortest=1),
        coresets.coreset(features, count, options, device="cuda", with_radius=False),
    )


def memory(options):
    return residence.memory(wide(options)[0], options)


def start(options):
    return startup.startup(wide(options)[0], options)


WORKLOADS = {
    "W1": (w1, "ResNet-18, bank 15,680 x 384, the scene generator's pictures"),
    "W1r": (w1r, "uniform random vectors, bank 15,680 x 384: nothing can be pruned"),
    "W2": (w2, "Wide ResNet-50-2, bank 16,384 x 1,536, the scene generator's pictures"),
    "W3": (w3, "ResNet-18, bank 15,680 x 384, Magnetic Tile"),
    "W3g": (w3g, "W3 with banks of 1,568, 15,680 and 60,000 rows"),
    "W4": (w4, "coreset of 156,800 x 384, 15,680 rows"),
    "W5": (w5, "1080p video through the element with overlay, the built-in network"),
    "W6": (w6, "W2 on a GPU, and a coreset of 163,856 x 1,024, 16,385 rows"),
    "memory": (memory, "W2's resident memory, and its growth over 10,000 frames"),
    "startup": (start, "NULL to PLAYING with W2's bank, and the registry scan"),
}
