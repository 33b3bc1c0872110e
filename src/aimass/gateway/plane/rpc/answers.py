"""The methods of gRPC that are no inference: what is told of server and models, and the repository."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aimass.gateway.plane.auth import Key
from aimass.gateway.plane.describe import describe_model, describe_server, index_of, model_config, statistics_of
from aimass.gateway.plane.entrance import Entrance, chosen
from aimass.gateway.plane.errors import NotReady
from aimass.gateway.plane.moments import wall
from aimass.gateway.plane.rpc.codec import PROTO

FindKey = Callable[[], Key]
_INDEXED = ("name", "version", "state", "reason")  # what the protocol has a place for
PUBLIC = frozenset({"ServerLive", "ServerReady", "ServerMetadata"})


class Answers:
    """One method for each of the protocol's; each takes a message and the caller's key."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance

    async def answer(self, name: str, request: Any, key: FindKey) -> Any:
        """Return the message that answers a method."""
        return await getattr(self, _METHODS[name])(request, key)

    async def _server_live(self, request: Any, key: FindKey) -> Any:
        return PROTO.ServerLiveResponse(live=True)

    async def _server_ready(self, request: Any, key: FindKey) -> Any:
        return PROTO.ServerReadyResponse(ready=bool(self._entrance.snapshot.version))

    async def _server_metadata(self, request: Any, key: FindKey) -> Any:
        return PROTO.ServerMetadataResponse(**describe_server())

    async def _model_ready(self, request: Any, key: FindKey) -> Any:
        endpoint = self._entrance.endpoint(admitted(key), request.name)
        try:
            return PROTO.ModelReadyResponse(ready=chosen(endpoint, request.version).is_ready)
        except NotReady:
            return PROTO.ModelReadyResponse(ready=False)

    async def _model_metadata(self, request: Any, key: FindKey) -> Any:
        described = describe_model(self._entrance.endpoint(admitted(key), request.name), request.version)
        for side in ("inputs", "outputs"):
            described[side] = [{name: one[name] for name in ("name", "datatype", "shape")} for one in described[side]]
        return PROTO.ModelMetadataResponse(**described)

    async def _model_config(self, request: Any, key: FindKey) -> Any:
        config = model_config(self._entrance.endpoint(admitted(key), request.name), request.version)
        return PROTO.ModelConfigResponse(config=config)

    async def _model_statistics(self, request: Any, key: FindKey) -> Any:
        holder = admitted(key)
        entrance = self._entrance
        endpoints = [entrance.endpoint(holder, request.name)] if request.name else entrance.usable(holder)
        found = [one for endpoint in endpoints for one in statistics_of(endpoint, request.version)["model_stats"]]
        return PROTO.ModelStatisticsResponse(model_stats=found)

    async def _repository_index(self, request: Any, key: FindKey) -> Any:
        found = index_of(self._entrance.usable(admitted(key)), only_ready=request.ready)
        models = [{name: entry[name] for name in _INDEXED} for entry in found]
        return PROTO.RepositoryIndexResponse(models=models)

    async def _load(self, request: Any, key: FindKey) -> Any:
        holder = admitted(key)
        await self._entrance.repository.load(holder, self._entrance.endpoint(holder, request.model_name))
        return PROTO.RepositoryModelLoadResponse()

    async def _unload(self, request: Any, key: FindKey) -> Any:
        holder = admitted(key)
        await self._entrance.repository.unload(holder, self._entrance.endpoint(holder, request.model_name))
        return PROTO.RepositoryModelUnloadResponse()


def admitted(find: FindKey) -> Key:
    """Return the key of a caller whose rate allows one more call."""
    key = find()
    key.admit(wall())
    return key


_METHODS = {
    "ServerLive": "_server_live",
    "ServerReady": "_server_ready",
    "ServerMetadata": "_server_metadata",
    "ModelReady": "_model_ready",
    "ModelMetadata": "_model_metadata",
    "ModelConfig": "_model_config",
    "ModelStatistics": "_model_statistics",
    "RepositoryIndex": "_repository_index",
    "RepositoryModelLoad": "_load",
    "RepositoryModelUnload": "_unload",
}
