# SPDX-License-Identifier: LGPL-2.1-or-later
"""The built-in network, its teacher, and the file that the library reads."""
import safetensors.torch
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)

STEM = 24
WIDTHS = (48, 96, 144)   # of the stages at strides 4, 8 and 16
BLOCKS = (1, 2, 1)
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
    """Half the size, then blocks."""

    def __init__(self, inputs, width, blocks):
        super().__init__()
        self.down = convolution(inputs, width, stride=2)
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))

    def forward(self, x):
        x = F.relu(self.down(x))
        for block in self.blocks:
            x = block(x)
        return x


class Student(nn.Module):
    """Plain and residual; a 1 x 1 convolution each makes the components of the teacher's layers."""

    def __init__(self):
        super().__init__()
        self.stem = convolution(3, STEM, stride=2)
        inputs = (STEM,) + WIDTHS[:-1]
        self.stages = nn.ModuleList(map(Stage, inputs, WIDTHS, BLOCKS))
        self.fine = nn.Conv2d(WIDTHS[1], FINE, 1)
        self.coarse = nn.Conv2d(WIDTHS[2], COARSE, 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, images):
        x = F.relu(self.stem(images))
        outputs = []
        for stage in self.stages:
            x = stage(x)
            outputs.append(x)
        return self.fine(outputs[1]), self.coarse(outputs[2])


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

    add("stem", *folded(student.stem))
    for number, stage in enumerate(student.stages):
        add(f"stages.{number}.down", *folded(stage.down))
        for index, block in enumerate(stage.blocks):
            add(f"stages.{number}.blocks.{index}.conv1", *folded(block.conv1))
            add(f"stages.{number}.blocks.{index}.conv2", *folded(block.conv2))
    for name in ("fine", "coarse"):
        head = getattr(student, name)
        add(name, head.weight, head.bias)
    safetensors.torch.save_file(tensors, path, metadata)
