"""What can be called, described in one document, and tried: models by their signatures, services as they say themselves."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
import uvicorn
from fastapi import FastAPI, Header, Response
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from aimass.gateway import Gateway
from aimass.gateway.domain.interfaces import GetOpenapi, ListInterfaces, TryRequest
from aimass.gateway.domain.openapi import METHODS, Pieces, add_service, document_of
from aimass.gateway.domain.routes import CreateRoute
from aimass.gateway.domain.services import CreateUpstream, RegisterInstance
from aimass.gateway.jobs import publish_services
from aimass.kernel.errors import AimassError, Forbidden, Invalid, NotFound
from tests.fixtures import gateway as plane
from tests.fixtures.platform import free_port
from tests.fixtures.served import Served, served
from tests.fixtures.site import CSRF_HEADER, PAGE, Visitor
from tests.fixtures.upstreams import Server

AT = "/demo/operate/gateway/interfaces"


class Place(BaseModel):
    name: str
    near: list[Place] = []


def geocoder() -> FastAPI:
    """A service that describes itself, as FastAPI does."""
    app = FastAPI(title="Geocoder")

    @app.post("/places/{kind}")
    def find(kind: str, place: Place, lang: str = "en", x_tag: Annotated[str, Header()] = "none") -> Place:
        return Place(name=f"{kind} {place.name} {lang} {x_tag}")

    @app.get("/refused")
    def refused() -> Response:
        return Response("who?", status_code=401)

    return app


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A model and two services behind one gateway: one describes itself, one says nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIMASS_GATEWAY_ALLOW", "127.0.0.1")
        mute, port = Server(), free_port()
        server = uvicorn.Server(uvicorn.Config(geocoder(), port=port, log_level="error"))
        thread = threading.Thread(target=server.run)
        thread.start()
        with served() as found:
            gateway, root = found.site.registry.get(Gateway), found.site.root
            for name, at in (("geo", port), ("mute", mute.port), ("dead", free_port())):
                where: dict[str, Any] = {"workspace": "demo", "upstream": name}
                gateway.create_upstream(root, CreateUpstream(**where))
                gateway.register_instance(root, RegisterInstance(**where, address=f"http://127.0.0.1:{at}"))
                gateway.create_route(root, CreateRoute(**where, route=name, title=name.title(), retries=0))
            with found.turning():
                publish_services(found.site.registry)
                plane.wait_for(lambda: found.gateway.status().get("services"))
                yield found
        server.should_exit = True
        thread.join()
        mute.stop()


def document(stage: Served, of: str = "", who: str = "operator") -> tuple[dict[str, Any], dict[str, str]]:
    wish = GetOpenapi(workspace="demo", of=of)
    found = stage.site.registry.get(Gateway).get_openapi(stage.site.people[who], wish)
    return found, found["x-left-out"]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from references(one)
    if isinstance(value, dict):
        for name, one in value.items():
            if name == "$ref" and isinstance(one, str):
                yield one
            else:
                yield from references(one)


def leads_somewhere(document: Any, reference: str) -> bool:
    place = document
    for part in reference.removeprefix("#/").split("/"):
        if not isinstance(place, dict) or part not in place:
            return False
        place = place[part]
    return True


def test_models_and_services_are_in_one_document_whose_references_lead_somewhere(stage: Served) -> None:
    found, left_out = document(stage)
    assert found["openapi"] == "3.1.0"
    assert {"/v2/models/churn/infer", "/mlflow/churn/invocations", "/s/demo/geo/places/{kind}"} <= set(found["paths"])
    assert all(leads_somewhere(found, one) for one in references(found))
    row = found["components"]["schemas"]["churn.Row"]
    assert row["properties"]["c0"]["type"] == "string"
    assert row["properties"]["c1"]["type"] == "number"
    operation = found["paths"]["/s/demo/geo/places/{kind}"]["post"]
    assert operation["security"] == [{"bearer": []}, {"key": []}]
    place = found["components"]["schemas"]["geo.Place-Input"]
    assert place["properties"]["near"]["items"] == {"$ref": "#/components/schemas/geo.Place-Input"}
    assert "/s/demo/mute/{rest}" in found["paths"]
    assert set(left_out) == {"model:idle", "service:mute", "service:dead"}
    names = [item[method]["operationId"] for item in found["paths"].values() for method in METHODS if method in item]
    assert len(names) == len(set(names))


def test_the_examples_of_a_model_are_answered_as_they_stand(stage: Served) -> None:
    found, _ = document(stage, "model:churn")
    asked = 0
    for path, item in found["paths"].items():
        if "post" in item:
            example = item["post"]["requestBody"]["content"]["application/json"]["example"]
            answer = plane.ask(stage.gateway, "POST", path, example, key=stage.key)
            assert answer.status == 200, (path, answer.body)
            asked += 1
    assert asked == 4


def test_one_alone_is_described_and_nothing_that_is_not_there(stage: Served) -> None:
    found, left_out = document(stage, "service:geo")
    assert all(path.startswith("/s/demo/geo/") for path in found["paths"])
    assert left_out == {}
    for of in ("model:nobody", "service:nobody", "geo"):
        with pytest.raises(NotFound):
            document(stage, of)


def test_they_are_listed_and_found_by_name_in_pages(stage: Served) -> None:
    gateway, who = stage.site.registry.get(Gateway), stage.site.people["viewer"]
    names, cursor = [], None
    while True:
        page = gateway.list_interfaces(who, ListInterfaces(workspace="demo", limit=2, cursor=cursor))
        names += [f"{one.kind}:{one.name}" for one in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert names == ["model:churn", "model:idle", "service:dead", "service:geo", "service:mute"]
    assert [one.name for one in gateway.list_interfaces(who, ListInterfaces(workspace="demo", q="mut")).items] == [
        "mute"
    ]


def tried(stage: Served, method: Any, path: str, who: str = "operator", **more: Any) -> Any:
    wish = TryRequest(workspace="demo", method=method, path=path, **more)
    return stage.site.registry.get(Gateway).try_request(stage.site.people[who], wish)


def test_a_service_is_tried_as_oneself_through_the_gateway(stage: Served) -> None:
    body = json.dumps({"name": "Paris"})
    said = tried(stage, "POST", "/s/demo/geo/places/city?lang=fr", body=body, headers={"X-Tag": "a"})
    assert (said.status, json.loads(said.body)["name"]) == (200, "city Paris fr a")
    wrong = tried(stage, "POST", "/s/demo/geo/places/city", body="{}")
    assert wrong.status == 422
    own = tried(stage, "GET", "/s/demo/geo/refused")
    assert (own.status, own.body) == (401, "who?")
    seen = json.loads(tried(stage, "GET", "/s/demo/mute/x").body)
    assert seen["headers"]["x-aimass-consumer"] == "operator"
    assert "authorization" not in seen["headers"]
    assert tried(stage, "GET", "/s/demo/dead/x").status == 502
    row = json.dumps({"c0": "basic", "c1": 50.0})
    assert tried(stage, "POST", "/v2/models/churn/generate", body=row).status == 200


@pytest.mark.parametrize(
    ("field", "order"),
    [
        ("path", {"path": "/api/v1/workspaces"}),
        ("path", {"path": "/s/other/geo/x"}),
        ("path", {"path": "/v2/../api/v1/workspaces"}),
        ("path", {"path": "/s/demo/%2E%2e/other/x"}),
        ("path", {"path": "/s/demo/geo/x y"}),
        ("path", {"path": "/s/demo/geo/places/{kind}"}),
        ("path", {"path": "http://8.8.8.8/"}),
        ("headers", {"path": "/s/demo/geo/x", "headers": {"Authorization": "Bearer x"}}),
        ("headers", {"path": "/s/demo/geo/x", "headers": {"X-A": "a\r\nHost: b"}}),
        ("headers", {"path": "/s/demo/geo/x", "headers": {"Host": "b"}}),
    ],
)
def test_a_request_that_leads_elsewhere_is_refused(stage: Served, field: str, order: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        tried(stage, "GET", **order)
    assert caught.value.field == field


def test_who_may_not_call_cannot_try_but_may_look(stage: Served) -> None:
    with pytest.raises(Forbidden):
        tried(stage, "GET", "/s/demo/mute/x", who="viewer")
    with pytest.raises(Forbidden):
        tried(stage, "POST", "/v2/models/churn/generate", who="viewer", body="{}")
    assert "/v2/models/churn/infer" in document(stage, "model:churn", who="viewer")[0]["paths"]


def sent(visitor: Visitor, **form: str) -> Any:
    """Send the form of the page, whose fields are called like those of a request."""
    visitor.do("GET", AT)
    headers = {**PAGE, "HX-Request": "true", CSRF_HEADER: visitor.csrf}
    return visitor.client.post(f"{AT}/-/try", data=form, headers=headers)


def test_the_pages_show_operations_and_send_requests(stage: Served) -> None:
    operator, viewer = stage.site.visitor("operator"), stage.site.visitor("viewer")
    assert f"{AT}/service/geo" in operator.open(AT).text
    assert "Nothing has this in its name." in operator.open(f"{AT}?q=zzz").text
    page = operator.open(f"{AT}/service/geo").text
    assert "/s/demo/geo/places/{kind}" in page
    model = operator.open(f"{AT}/model/churn?op=0").text
    assert "/v2/models/churn/infer" in model
    said = sent(operator, method="POST", path="/s/demo/geo/places/a", body='{"name": "b"}')
    assert said.status_code == 200
    assert "a b en none" in said.text
    assert sent(operator, method="GET", path="/api/x").json()["field"] == "path"
    assert sent(operator, method="GET", path="/s/demo/geo/", headers="x").json()["field"] == "headers"
    assert sent(viewer, method="GET", path="/s/demo/mute/").status_code == 403
    assert "The role analyst may call" in viewer.open(f"{AT}/service/geo").text
    assert "Not described further" in operator.open(f"{AT}/service/mute").text
    assert viewer.open(f"{AT}/service/nobody").status_code == 404
    got = viewer.client.get(f"{AT}/-/openapi.json?of=model:churn")
    assert got.json()["openapi"] == "3.1.0"
    assert stage.site.visitor("stranger").open(AT).status_code == 404


# -- descriptions of strangers

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["$ref", "get", "post", "mapping", "parameters", "schema", "/a", "security", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(JSON, JSON, JSON)
def test_any_description_is_taken_over_or_refused(paths: Any, components: Any, item: Any) -> None:
    told = {"openapi": "3.0.1", "paths": {"/a": item} if paths is None else paths, "components": components}
    pieces = Pieces()
    try:
        add_service(pieces, "geo", "/s/demo/geo", "", needs_key=True, told=told)
    except AimassError:
        assert pieces.paths == {}
        return
    found = document_of("x", "/", pieces)
    json.dumps(found)
    assert all(path.startswith("/s/demo/geo") for path in found["paths"])
    for each in found["paths"].values():
        for method in set(METHODS) & each.keys():
            assert each[method]["security"] == [{"bearer": []}, {"key": []}]


def test_a_description_that_is_too_deep_or_too_old_is_refused() -> None:
    deep: Any = {}
    for _ in range(200):
        deep = {"x": deep}
    old = {"swagger": "2.0", "paths": {}}
    for told in ({"openapi": "3.1.0", "paths": {"/a": {"get": deep}}}, old, {"openapi": "3.1.0", "paths": []}):
        with pytest.raises(Invalid):
            add_service(Pieces(), "geo", "/s/demo/geo", "", needs_key=True, told=told)
