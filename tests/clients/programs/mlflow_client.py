"""MLflow's client of a scoring server, and its deployments client; the key is in a netrc file."""

import json
import sys

import pandas as pd
from mlflow.deployments import get_deploy_client
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

told = json.loads(sys.argv[1])
frame = pd.DataFrame(told["rows"])
host, port = told["address"].split(":")
client = ScoringServerClient(host, f"{port}/mlflow/churn")
client.ping()
shares = client.invoke(frame, params={"outputs": ["probabilities"]})
found = {
    "version": client.get_version(),
    "frame": client.invoke(frame).get_predictions()[0].tolist(),
    "array": client.invoke(frame.to_numpy()).get_predictions()[0].tolist(),
    "shares": shares.get_predictions().to_numpy().tolist(),
}
try:
    client.invoke(frame.drop(columns=["tenure"]))
except Exception as error:
    found["refused"] = str(error)
deployments = get_deploy_client(told["url"])
found["records"] = deployments.predict(endpoint="churn", inputs={"dataframe_records": told["rows"]})["predictions"]
found["columns"] = deployments.predict(endpoint="churn", inputs={"inputs": told["columns"]})["predictions"]
print(json.dumps(found))
