"""KServe's InferenceRESTClient and InferenceGRPCClient."""

import asyncio
import json
import sys

import grpc
import httpx
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

told = json.loads(sys.argv[1])
HEADERS = {"Authorization": f"Bearer {told['key']}"}
METADATA = (("authorization", f"Bearer {told['key']}"),)
VALUES = {
    "in_FP32": np.arange(64, dtype=np.float32).reshape(1, 8, 8, 1),
    "in_UINT8": np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3),
    "in_BYTES": np.array([["yes", "no"]], dtype=object),
}


def request(name, binary):
    inputs = []
    for input_, array in VALUES.items():
        tensor = InferInput(input_, list(array.shape), input_.removeprefix("in_"))
        tensor.set_data_from_numpy(array, binary_data=binary)
        inputs.append(tensor)
    outputs = [RequestedOutput(n.replace("in_", "out_"), parameters={"binary_data": binary}) for n in VALUES]
    return InferRequest(model_name=name, infer_inputs=inputs, request_outputs=outputs, request_id="k-1")


def checked(response):
    outputs = {output.name: output for output in response.outputs}
    for name, array in VALUES.items():
        found = outputs[name.replace("in_", "out_")].as_numpy()
        if array.dtype == object:
            texts = [text.decode() if isinstance(text, bytes) else text for text in found.ravel()]
            found = np.array(texts, dtype=object).reshape(array.shape)
        assert found.shape == array.shape, name
        assert (found == array).all(), name
    return response.id


async def over_rest():
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    url = told["url"]
    ready = await client.is_model_ready(url, "three", headers=HEADERS)
    states = [await client.is_server_live(url), await client.is_server_ready(url), ready]
    wishes = [request("three", binary) for binary in (True, False)]
    ids = [checked(await client.infer(url, wish, "three", headers=dict(HEADERS))) for wish in wishes]
    try:
        await client.infer(url, {"inputs": []}, model_name="three", headers=dict(HEADERS))
    except httpx.HTTPStatusError as error:
        refused = str(error)
    return states, ids, refused


async def over_grpc():
    client = InferenceGRPCClient(told["rpc"])
    ready = await client.is_model_ready("three", headers=METADATA)
    states = [await client.is_server_live(), await client.is_server_ready(), ready]
    ids = [checked(await client.infer(request("three", binary), headers=METADATA)) for binary in (True, False)]
    try:
        await client.infer(request("none", True), headers=METADATA)
    except grpc.RpcError as error:
        missing = error.code().name
    await client.close()
    return states, ids, missing


print(json.dumps({"rest": asyncio.run(over_rest()), "grpc": asyncio.run(over_grpc())}))
