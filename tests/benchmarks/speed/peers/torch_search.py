# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exact searches that are a product of matrices, in PyTorch: the bound of what can't be pruned.

    torch_search.py cdist | product | checked
"""
import sys

import torch

from ..process import THREADS
from ..serving import Searcher, serve

ROUNDING = 2.0**-8  # of a bf16 result, relative


def least(values, k):
    """The k least of each row; one is had sooner than topk() has it."""
    return values.amin(1, keepdim=True) if k == 1 else values.topk(k, largest=False).values


class TorchSearch(Searcher):
    bank = None

    def prepare(self, bank, device):
        self.bank = torch.from_numpy(bank).to(device)

    def place(self, queries, device):
        return torch.from_numpy(queries).to(device)


class Cdist(TorchSearch):
    """torch.cdist in fp32."""

    def find(self, queries, k):
        return least(torch.cdist(queries, self.bank), k)


class Product(TorchSearch):
    """The bf16 product alone: distances within its rounding only."""

    def prepare(self, bank, device):
        super().prepare(bank, device)
        self.centre = self.bank.mean(0)
        centred = self.bank - self.centre
        self.rows = centred.bfloat16().t().contiguous()
        self.half_norms = centred.square().sum(1) / 2

    def order(self, queries):
        """|q - m|^2 / 2 without |q|^2 / 2, Q x K."""
        return self.half_norms - (queries - self.centre).bfloat16() @ self.rows

    def find(self, queries, k):
        norms = (queries - self.centre).square().sum(1, keepdim=True)
        return (2 * least(self.order(queries), k) + norms).clamp_min_(0).sqrt_()


class Checked(Product):
    """The bf16 product, then each row that its rounding can't rule out, in fp32: exact, for k=1."""

    def prepare(self, bank, device):
        super().prepare(bank, device)
        centred = self.bank - self.centre
        self.rounding = (centred - self.rows.t().float()).norm(dim=1).max()
        self.longest = centred.norm(dim=1).max()

    def find(self, queries, k):
        if k != 1:
            raise ValueError("it finds the nearest only")
        centred = queries - self.centre
        rounded = centred.bfloat16().float()
        slack = (
            rounded.norm(dim=1) * self.rounding
            + (centred - rounded).norm(dim=1) * self.longest
            + ROUNDING * rounded.norm(dim=1) * self.longest
        )
        order = self.order(queries)
        bound = order.amin(1) + 2 * slack
        near = (order <= bound[:, None]).nonzero()
        exact = (queries[near[:, 0]] - self.bank[near[:, 1]]).square_().sum(1)
        found = torch.full((len(queries),), torch.inf, device=queries.device)
        return found.scatter_reduce_(0, near[:, 0], exact, "amin").sqrt_()[:, None]


if __name__ == "__main__":
    torch.set_num_threads(THREADS)
    torch.set_grad_enabled(False)
    serve({"cdist": Cdist, "product": Product, "checked": Checked}[sys.argv[1]]())
