"""tritonclient over HTTP, as its users write it."""

import json
import sys

import numpy as np
from tritonclient import http
from tritonclient.utils import InferenceServerException

told = json.loads(sys.argv[1])
client = http.InferenceServerClient(told["address"])


def key(name="key"):
    return {"Authorization": f"Bearer {told[name]}"}


def arrays(rows=2):
    random = np.random.default_rng(5)
    found = {}
    for datatype, shape in told["shapes"].items():
        sizes = [rows if i == 0 and s < 0 else 4 if s < 0 else s for i, s in enumerate(shape)]
        dtype = {"BOOL": "bool", "BYTES": "object"}.get(datatype) or datatype.lower().replace("fp", "float")
        array = random.integers(0, 100, sizes)
        if datatype == "BYTES":
            array = np.full(sizes, "héllo", dtype=object)
        elif datatype == "BOOL":
            array = array % 2
        found[f"in_{datatype}"] = array.astype(dtype)
    return found


def inputs(values, binary):
    found = []
    for name, array in values.items():
        tensor = http.InferInput(name, list(array.shape), name.removeprefix("in_"))
        tensor.set_data_from_numpy(array, binary_data=binary or array.dtype == np.float16)
        found.append(tensor)
    return found


def same(result, values):
    for name, array in values.items():
        found = result.as_numpy(name.replace("in_", "out_"))
        if array.dtype == object:
            texts = [text.decode() if isinstance(text, bytes) else text for text in found.ravel()]
            found = np.array(texts, dtype=object).reshape(found.shape)
        assert found.shape == array.shape, name
        assert (found == array).all(), name


values = arrays()
for binary_in in (True, False):
    for binary_out in (True, False):
        outputs = [http.InferRequestedOutput(n.replace("in_", "out_"), binary_data=binary_out) for n in values]
        same(client.infer("echo", inputs(values, binary_in), outputs=outputs, headers=key()), values)
    same(client.infer("echo", inputs(values, binary_in), headers=key()), values)
for coding in ("gzip", "deflate"):
    big = arrays(rows=100)
    result = client.infer(
        "echo",
        inputs(big, True),
        headers=key(),
        request_id="packed",
        request_compression_algorithm=coding,
        response_compression_algorithm=coding,
    )
    same(result, big)
    assert result.get_response()["id"] == "packed"
pending = [client.async_infer("echo", inputs(values, True), headers=key()) for _ in range(5)]
for one in pending:
    same(one.get_result(), values)

wrong = http.InferInput("in_FP32", [1, 8, 8, 1], "FP32")
wrong.set_data_from_numpy(np.zeros((1, 8, 8, 1), dtype=np.float32))
try:
    client.infer("echo", [wrong], headers=key())
except InferenceServerException as error:
    refused = [error.status(), error.message()]

assert client.is_server_live()
assert client.is_server_ready()
assert client.is_model_ready("echo", headers=key())
client.unload_model("echo", headers=key("owner"))
unloaded = client.is_model_ready("echo", headers=key())
client.load_model("echo", headers=key("owner"))
print(json.dumps({
    "refused": refused,
    "ready": [unloaded, client.is_model_ready("echo", headers=key())],
    "server": client.get_server_metadata()["name"],
    "metadata": client.get_model_metadata("echo", headers=key())["inputs"][0],
    "config": client.get_model_config("echo", headers=key())["input"][1],
    "stats": client.get_inference_statistics("echo", headers=key())["model_stats"][0]["inference_count"],
    "index": sorted(one["name"] for one in client.get_model_repository_index(headers=key())),
}))  # fmt: skip
