# SPDX-License-Identifier: LGPL-2.1-or-later
"""anomalib's ONNX export, run by ONNX Runtime."""
import onnxruntime

from ..process import THREADS
from ..serving import Scorer, serve


class OnnxRuntime(Scorer):
    session = None

    def open(self, request):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.inter_op_num_threads = 1
        # While another contestant runs; during a run its threads may spin.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self.session = onnxruntime.InferenceSession(
            request["model"], options, providers=["CPUExecutionProvider"]
        )
        return {}

    def run(self, pictures):
        return self.session.run(["pred_score", "anomaly_map"], {"input": pictures})


if __name__ == "__main__":
    serve(OnnxRuntime())
