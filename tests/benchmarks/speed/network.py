# SPDX-License-Identifier: LGPL-2.1-or-later
"""torchvision's networks: weights from a seed, and features in any precision."""
import torch
import torchvision
from safetensors.torch import load_file, save_file

MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
DEVIATION = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
LAYERS = ("layer2", "layer3")


def normalised(pictures, dtype=torch.float32):
    """N x H x W x 3 uint8 -> N x 3 x H x W."""
    values = pictures.permute(0, 3, 1, 2).to(dtype) / 255
    return (values - MEAN.to(dtype)) / DEVIATION.to(dtype)


def write_random_weights(backbone, pictures, seed, output):
    """torchvision's initial values of a seed, batch norm's statistics those of the pictures."""
    torch.manual_seed(seed)
    network = getattr(torchvision.models, backbone)(weights=None).train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the mean over all batches
    with torch.no_grad():
        for some in pictures.split(8):
            network(normalised(some))
    kept = {n: v for n, v in network.state_dict().items() if not n.endswith("num_batches_tracked")}
    save_file(kept, output)


def features(backbone, weights, pictures):
    """In fp64: N x C x H x W of layer 2 and of layer 3."""
    network = getattr(torchvision.models, backbone)(weights=None).double().eval()
    given = load_file(weights)
    names = network.state_dict()
    network.load_state_dict({n: given.get(n, names[n]) for n in names})
    x = normalised(pictures, torch.float64)
    found = []
    with torch.inference_mode():
        x = network.maxpool(network.relu(network.bn1(network.conv1(x))))
        for name in ("layer1", *LAYERS):
            x = getattr(network, name)(x)
            if name in LAYERS:
                found.append(x)
    return found
