# SPDX-License-Identifier: LGPL-2.1-or-later
"""PatchCore in fp64, plainly: what every contestant's distances, scores and maps are held against.
The anomalib preset: 3 x 3 means, layers joined on the finer grid, nearest row, Eq. 7 with nine
neighbours, map upsampled by nearest and blurred with sigma 4."""
import torch
from torch.nn import functional

from .network import features

NEIGHBOURS = 9
SIGMA = 4
QUERIES_AT_ONCE = 784


def distances(queries, bank, k):
    """The k least distances of each query, by squared differences of the nearest few, and their
    rows."""
    queries, bank = queries.double(), bank.double()
    norms = bank.square().sum(1)
    found = []
    for some in queries.split(QUERIES_AT_ONCE):
        near = (norms - 2 * some @ bank.t()).topk(k + 1, largest=False).indices
        exact = (some[:, None] - bank[near]).square_().sum(2).sqrt_()
        order = exact.argsort(dim=1, stable=True)[:, :k]
        found.append((exact.gather(1, order), near.gather(1, order)))
    return tuple(torch.cat(part) for part in zip(*found))


def embedding(layers):
    """(N * H * W) x D."""
    pooled = [functional.avg_pool2d(layer, 3, 1, 1) for layer in layers]
    size = pooled[0].shape[-2:]
    grids = [functional.interpolate(layer, size=size, mode="bilinear") for layer in pooled]
    joined = torch.cat(grids, 1)
    return joined.permute(0, 2, 3, 1).reshape(-1, joined.shape[1])


def blurred(grids, size):
    radius = int(4 * SIGMA + 0.5)
    x = torch.arange(-radius, radius + 1, dtype=torch.float64)
    kernel = (-x.square() / (2 * SIGMA**2)).exp()
    kernel /= kernel.sum()
    maps = functional.interpolate(grids, size=(size, size), mode="nearest")
    maps = functional.pad(maps, [radius] * 4, mode="reflect")
    rows = functional.conv2d(maps, kernel.reshape(1, 1, -1, 1))
    return functional.conv2d(rows, kernel.reshape(1, 1, 1, -1))[:, 0]


def score(rows, nearest, places, bank):
    """Eq. 7 of one picture."""
    worst = int(nearest.argmax())
    _, members = distances(bank[places[worst]][None], bank, NEIGHBOURS)
    to_members = (bank[members[0]].double() - rows[worst]).square().sum(1).sqrt()
    return (1 - torch.softmax(to_members, 0)[0]) * nearest[worst]


def scores_and_maps(backbone, weights, bank, pictures):
    """pictures: N x H x W x 3 uint8. Returns N scores, N x H x W maps, fp64."""
    scores, maps = [], []
    for picture in pictures.split(1):
        layers = features(backbone, weights, picture)
        rows = embedding(layers)
        nearest, places = (part[:, 0] for part in distances(rows, bank, 1))
        scores.append(score(rows, nearest, places, bank))
        grid = nearest.reshape(1, 1, *layers[0].shape[-2:])
        maps.append(blurred(grid, picture.shape[1]))
    return torch.stack(scores), torch.cat(maps)


def radius(rows, chosen):
    """The largest distance of a row to its nearest chosen row: found in fp32, then in fp64."""
    centres = rows[chosen]
    norms = centres.square().sum(1)
    nearest = torch.cat(
        [(norms - 2 * some @ centres.t()).argmin(1) for some in rows.split(QUERIES_AT_ONCE)]
    )
    apart = torch.cat(
        [
            (some.double() - centres[place].double()).square().sum(1)
            for some, place in zip(rows.split(1 << 14), nearest.split(1 << 14))
        ]
    )
    return float(apart.max().sqrt())


def greedy(rows, first, count):
    """Greedy k-center from a first centre on, for its radius: squares of distances by products in
    fp32 of rows without their mean, which are within some 1e-6 of the rows' own squares."""
    rows = rows - rows.mean(0)
    norms = rows.square().sum(1)
    minimum = torch.full_like(norms, torch.inf)
    chosen, squares = [first], torch.empty_like(norms)
    while len(chosen) < count:
        centre = chosen[-1]
        torch.addmv(norms, rows, rows[centre], alpha=-2, out=squares)
        torch.minimum(minimum, squares.add_(norms[centre]), out=minimum)
        chosen.append(int(minimum.argmax()))
    return torch.tensor(chosen)
