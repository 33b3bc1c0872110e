"""MLServer's types, codecs and converters, sent by HTTP and by its gRPC stub."""

import json
import sys
import urllib.request

import grpc
import numpy as np
from mlserver.codecs import NumpyCodec, NumpyRequestCodec, StringCodec
from mlserver.grpc import converters, dataplane_pb2_grpc
from mlserver.types import InferenceRequest, InferenceResponse, RequestOutput

told = json.loads(sys.argv[1])
IMAGE = np.arange(64, dtype=np.float32).reshape(1, 8, 8, 1)
PIXELS = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)


def request():
    made = InferenceRequest(
        id="m-1",
        inputs=[
            NumpyCodec.encode_input("in_FP32", IMAGE),
            NumpyCodec.encode_input("in_UINT8", PIXELS),
            StringCodec.encode_input("in_BYTES", ["yes", "no"]),
        ],
        outputs=[RequestOutput(name=f"out_{name}") for name in ("FP32", "UINT8", "BYTES")],
    )
    made.inputs[2].shape = [1, 2]
    return made


def checked(response):
    outputs = {output.name: output for output in response.outputs}
    assert (NumpyCodec.decode_output(outputs["out_FP32"]) == IMAGE).all()
    assert (NumpyCodec.decode_output(outputs["out_UINT8"]) == PIXELS).all()
    assert StringCodec.decode_output(outputs["out_BYTES"]) == ["yes", "no"]
    return response.id


def post(name, body):
    wish = urllib.request.Request(
        f"{told['url']}/v2/models/{name}/infer",
        data=body.model_dump_json(exclude_none=True).encode(),
        headers={"Authorization": f"Bearer {told['key']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(wish) as reply:
        return InferenceResponse.model_validate_json(reply.read())


ids = [checked(post("three", request()))]
stub = dataplane_pb2_grpc.GRPCInferenceServiceStub(grpc.insecure_channel(told["rpc"]))
for raw in (True, False):
    message = converters.ModelInferRequestConverter.from_types(request(), "three", None, use_raw=raw)
    answer = stub.ModelInfer(message, metadata=(("authorization", f"Bearer {told['key']}"),))
    ids.append(checked(converters.ModelInferResponseConverter.to_types(answer)))
whole = NumpyRequestCodec.encode_request(np.arange(6, dtype=np.float32).reshape(2, 3))
whole.inputs[0].name = "matrix"
answer = post("matrix", whole)
print(json.dumps({"ids": ids, "matrix": NumpyRequestCodec.decode_response(answer).tolist()}))
