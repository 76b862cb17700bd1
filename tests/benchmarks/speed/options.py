# SPDX-License-Identifier: LGPL-2.1-or-later
"""How much is measured."""
import dataclasses


@dataclasses.dataclass
class Options:
    rounds: int = 9
    coreset_rounds: int = 9
    batches: tuple = (1, 8)
    gpu_batches: tuple = (1, 8, 64, 256)
    train: int = 200  # pictures: 156,800 patches
    train_wide: int = 209  # 163,856
    bank: int = 15680
    bank_wide: int = 16384
    banks: tuple = (1568, 15680, 60000)  # of W3g
    queries: int = 48  # pictures of a group
    video: int = 300  # frames
    frames: int = 10000  # of the memory test
    starts: int = 9

    @classmethod
    def quick(cls):
        return cls(
            rounds=3, coreset_rounds=1, batches=(1,), gpu_batches=(1, 8), train=10, train_wide=10,
            bank=784, bank_wide=784, banks=(78, 784, 3136), queries=8, video=60, frames=200,
            starts=3,
        )  # fmt: skip
