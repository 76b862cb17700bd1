# SPDX-License-Identifier: LGPL-2.1-or-later
"""faiss's exact search."""
import faiss
import numpy

from ..process import THREADS
from ..serving import Searcher, serve


class FaissFlat(Searcher):
    flat = None

    def prepare(self, bank, device):
        self.flat = faiss.IndexFlatL2(bank.shape[1])
        self.flat.add(bank)

    def find(self, queries, k):
        return numpy.sqrt(numpy.maximum(self.flat.search(queries, k)[0], 0))


if __name__ == "__main__":
    faiss.omp_set_num_threads(THREADS)
    serve(FaissFlat())
