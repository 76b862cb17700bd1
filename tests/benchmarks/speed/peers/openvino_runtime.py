# SPDX-License-Identifier: LGPL-2.1-or-later
"""anomalib's ONNX export, run by OpenVINO for the least latency, in the precision that it takes by
itself."""
import openvino

from ..process import THREADS
from ..serving import Scorer, serve


class OpenVino(Scorer):
    request = None

    def open(self, request):
        compiled = openvino.Core().compile_model(
            request["model"], "CPU", {"INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY"}
        )
        self.request = compiled.create_infer_request()
        return {"precision": str(compiled.get_property("INFERENCE_PRECISION_HINT").to_string())}

    def run(self, pictures):
        self.request.infer({"input": pictures})
        return [self.request.get_tensor(n).data.copy() for n in ("pred_score", "anomaly_map")]


if __name__ == "__main__":
    serve(OpenVino())
