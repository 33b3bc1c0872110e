"""tritonclient over gRPC: one by one, asynchronously, packed, and on a stream whose answers come in chunks."""

import json
import queue
import sys

import numpy as np
from tritonclient import grpc
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

told = json.loads(sys.argv[1])
client = grpc.InferenceServerClient(told["rpc"])


def key(name="key"):
    return {"authorization": f"Bearer {told[name]}"}


def arrays(rows=2):
    random = np.random.default_rng(6)
    found = {}
    for datatype, shape in told["shapes"].items():
        sizes = [rows if i == 0 and s < 0 else 4 if s < 0 else s for i, s in enumerate(shape)]
        dtype = {"BOOL": "bool", "BYTES": "object"}.get(datatype) or datatype.lower().replace("fp", "float")
        array = np.full(sizes, "客户", dtype=object) if datatype == "BYTES" else random.integers(0, 2, sizes)
        found[f"in_{datatype}"] = array.astype(dtype)
    return found


def inputs(values):
    found = []
    for name, array in values.items():
        tensor = grpc.InferInput(name, list(array.shape), name.removeprefix("in_"))
        tensor.set_data_from_numpy(array)
        found.append(tensor)
    return found


def same(result, values):
    for name, array in values.items():
        found = result.as_numpy(name.replace("in_", "out_"))
        if array.dtype == object:
            found = np.array([text.decode() for text in found.ravel()], dtype=object).reshape(found.shape)
        assert found.shape == array.shape, name
        assert (found == array).all(), name


answers = queue.Queue()


def answer():
    result, error = answers.get(timeout=30)
    assert error is None, error
    return result


values = arrays()
same(client.infer("echo", inputs(values), headers=key(), request_id="g"), values)
same(client.infer("echo", inputs(values), headers=key(), compression_algorithm="gzip"), values)
for _ in range(5):
    client.async_infer("echo", inputs(values), lambda result, error: answers.put((result, error)), headers=key())
for _ in range(5):
    same(answer(), values)

client.start_stream(lambda result, error: answers.put((result, error)), headers=key())
for number in range(3):
    client.async_stream_infer("echo", inputs(values), request_id=str(number))
ids = []
for _ in range(3):
    result = answer()
    same(result, values)
    ids.append(result.get_response().id)
client.stop_stream()

texts = []
client.start_stream(lambda result, error: answers.put((result, error)), headers=key())
text = grpc.InferInput("text_input", [1], "BYTES")
text.set_data_from_numpy(np.array(["the sun is up"], dtype=object))
client.async_stream_infer("teller", [text], enable_empty_final_response=True)
while not (result := answer()).get_response().parameters["triton_final_response"].bool_param:
    texts.append(result.as_numpy("text_output")[0].decode())
client.stop_stream()

try:
    client.infer("echo", inputs({"in_FP32": values["in_FP32"]}), headers=key())
except InferenceServerException as failure:
    refused = [failure.status(), failure.message()]

assert client.is_server_live()
assert client.is_server_ready()
client.unload_model("echo", headers=key("owner"))
unloaded = client.is_model_ready("echo", headers=key())
client.load_model("echo", headers=key("owner"))
messages = {
    name: sorted([field.name, field.number, field.type] for field in message.fields)
    for name, message in service_pb2.DESCRIPTOR.message_types_by_name.items()
}
print(json.dumps({
    "ids": ids,
    "texts": texts,
    "refused": refused,
    "ready": [unloaded, client.is_model_ready("echo", headers=key())],
    "metadata": client.get_model_metadata("echo", headers=key(), as_json=True)["platform"],
    "config": client.get_model_config("echo", headers=key(), as_json=True)["config"]["input"][1]["data_type"],
    "stats": client.get_inference_statistics("echo", headers=key(), as_json=True)["model_stats"][0]["name"],
    "index": sorted(model.name for model in client.get_model_repository_index(headers=key()).models),
    "messages": messages,
}))  # fmt: skip
