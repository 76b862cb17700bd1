# SPDX-License-Identifier: LGPL-2.1-or-later
"""The built-in network, its teacher, and the file that the library reads."""
import safetensors.torch
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)

STEM = 32                # channels at stride 4
WIDTHS = (96, 144)       # of the stages at strides 8 and 16
FINE, COARSE = 64, 96    # principal components of the teacher's layer2 and layer3


def normalised(images):
    """N x H x W x 3 bytes to what the networks take, channels last."""
    images = torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255)
    mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, DEVIATION))
    return (images - mean).div_(deviation).contiguous(memory_format=torch.channels_last)


def averaged(features):
    """The mean of 3 x 3 neighbourhoods, as patches have it (padding counted)."""
    return F.avg_pool2d(features, 3, 1, 1)


class Teacher(nn.Module):
    """layer2 and layer3 of torchvision's ResNet-18."""

    def __init__(self, weights):
        super().__init__()
        net = torchvision.models.resnet18()
        net.load_state_dict(safetensors.torch.load_file(weights), strict=False)
        self.early = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool, net.layer1, net.layer2)
        self.late = net.layer3
        self.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    def forward(self, images):
        fine = self.early(images)
        return fine, self.late(fine)


class Components(nn.Module):
    """The first principal components of a layer, without its mean."""

    def __init__(self, mean, axes):
        super().__init__()
        self.mean, self.axes = nn.Buffer(mean), nn.Buffer(axes)

    @classmethod
    def of(cls, rows, count):
        mean = rows.mean(0)
        values, vectors = torch.linalg.eigh((rows - mean).T.double() @ (rows - mean).double())
        kept = vectors.flip(1)[:, :count]
        share = values.flip(0)[:count].sum() / values.sum()
        return cls(mean, kept.float()), float(share)

    def forward(self, features):
        return torch.einsum("nchw,cd->ndhw", features - self.mean[:, None, None], self.axes)


def convolution(inputs, outputs, side=3, stride=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False),
                         nn.BatchNorm2d(outputs))


class Block(nn.Module):
    """Two convolutions and what came in."""

    def __init__(self, width):
        super().__init__()
        self.conv1, self.conv2 = (convolution(width, width) for _ in range(2))

    def forward(self, x):
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))


class Stage(nn.Module):
    """A convolution that makes it smaller, and a block."""

    def __init__(self, inputs, width, side=3, stride=2):
        super().__init__()
        self.down = convolution(inputs, width, side, stride)
        self.block = Block(width)

    def forward(self, x):
        return self.block(F.relu(self.down(x)))


class Student(nn.Module):
    """Plain and residual; a 1 x 1 convolution each makes the components of the teacher's layers."""

    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList([Stage(3, STEM, side=7, stride=4), Stage(STEM, WIDTHS[0]),
                                     Stage(WIDTHS[0], WIDTHS[1])])
        self.fine = nn.Conv2d(WIDTHS[0], FINE, 1)
        self.coarse = nn.Conv2d(WIDTHS[1], COARSE, 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, images):
        outputs = [images]
        for stage in self.stages:
            outputs.append(stage(outputs[-1]))
        return self.fine(outputs[2]), self.coarse(outputs[3])


def folded(pair):
    """A convolution with its batch norm: weight and bias."""
    conv, norm = pair
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return conv.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale


def save(student, path, metadata):
    """As half floats, each convolution with its batch norm: NAME.weight and NAME.bias."""
    tensors = {}

    def add(name, weight, bias):
        tensors[name + ".weight"] = weight.detach().half().contiguous()
        tensors[name + ".bias"] = bias.detach().half().contiguous()

    for number, stage in enumerate(student.stages):
        add(f"stages.{number}.down", *folded(stage.down))
        add(f"stages.{number}.conv1", *folded(stage.block.conv1))
        add(f"stages.{number}.conv2", *folded(stage.block.conv2))
    for name in ("fine", "coarse"):
        head = getattr(student, name)
        add(name, head.weight, head.bias)
    safetensors.torch.save_file(tensors, path, metadata)
