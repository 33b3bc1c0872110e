"""Save the same ONNX file as a model of MLflow: ``python mlflow_model.py FOLDER``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import mlflow.pyfunc

SOURCE = """
import os
import sys
import mlflow.pyfunc
from mlflow.models import set_model


class Churn(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        os.environ["BENCH_MODEL"] = context.artifacts["model"]
        from session import Session

        self.model = Session()

    def predict(self, context, model_input, params=None):
        return [self.model.run(row) for row in model_input.to_dict("records")]


set_model(Churn())
"""

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    program = folder.parent / "churn_model.py"
    program.write_text(SOURCE)
    mlflow.pyfunc.save_model(
        str(folder), python_model=str(program), artifacts={"model": os.environ["BENCH_MODEL"]}, pip_requirements=[]
    )
