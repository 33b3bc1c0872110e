"""KServe's model server with a model of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer
from session import Session


class Churn(Model):
    """The model as KServe wants it."""

    def __init__(self) -> None:
        super().__init__("churn")
        self.model = Session()
        self.ready = True

    async def predict(self, payload: InferRequest, headers: Any = None, response_headers: Any = None) -> InferResponse:
        """Answer the tensors of a row."""
        del headers, response_headers
        found = self.model.run({one.name: one.data[0] for one in payload.inputs})
        values = np.asarray(found["probabilities"], dtype=np.float32)
        output = InferOutput(name="probabilities", shape=list(values.shape), datatype="FP32")
        output.set_data_from_numpy(values, binary_data=False)
        return InferResponse(response_id=payload.id or "", model_name=self.name, infer_outputs=[output])


if __name__ == "__main__":
    ModelServer(workers=1, access_log_format=None).start([Churn()])
