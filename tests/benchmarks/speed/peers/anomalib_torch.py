# SPDX-License-Identifier: LGPL-2.1-or-later
"""anomalib's own model in PyTorch: pictures, search, coreset."""
import time

import torch
from anomalib.models.components import KCenterGreedy
from anomalib.models.image.patchcore.torch_model import PatchcoreModel
from safetensors import safe_open

from ..process import THREADS
from ..serving import Scorer, Searcher, serve
from .anomalib_model import make_model


class AnomalibTorch(Scorer, Searcher):
    model = None
    bank_model = None
    device = "cpu"

    def open(self, request):
        self.device = request["device"]
        model = make_model(request["backbone"], request["weights"], request["bank"])
        self.model = model.to(self.device)
        return {}

    def run(self, pictures):
        with torch.inference_mode():
            found = self.model(torch.from_numpy(pictures).to(self.device))
        return found.pred_score.cpu().numpy(), found.anomaly_map.cpu().numpy()

    def prepare(self, bank, device):
        self.bank_model = PatchcoreModel(backbone="resnet18", layers=["layer2"], pre_trained=False)
        self.bank_model.memory_bank = torch.from_numpy(bank).to(device)

    def place(self, queries, device):
        return torch.from_numpy(queries).to(device)

    def find(self, queries, k):
        with torch.inference_mode():
            return self.bank_model.nearest_neighbors(queries, k)[0].reshape(len(queries), k).cpu()

    def coreset(self, request):
        """The whole of select_coreset_idxs(), its projection included."""
        with safe_open(request["file"], "pt") as file:
            rows = file.get_tensor(request["tensor"]).to(request["device"])
        torch.manual_seed(request["seed"])
        sampler = KCenterGreedy(rows, sampling_ratio=1)
        sampler.coreset_size = request["count"]
        start = time.perf_counter()
        with torch.inference_mode():
            sampler.select_coreset_idxs()
        return {"seconds": time.perf_counter() - start}


if __name__ == "__main__":
    torch.set_num_threads(THREADS)
    serve(AnomalibTorch())
