"""MLServer with a runtime of its own."""

from __future__ import annotations

from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput
from session import Session


class Churn(MLModel):
    """The model as MLServer wants it."""

    async def load(self) -> bool:
        """Load the model."""
        self.model = Session()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer the tensors of a row."""
        found = self.model.run({one.name: one.data.root[0] for one in payload.inputs})
        values = found["probabilities"]
        output = ResponseOutput(
            name="probabilities",
            shape=[len(values), len(values[0])],
            datatype="FP32",
            data=[value for row in values for value in row],
        )
        return InferenceResponse(model_name=self.name, outputs=[output])
