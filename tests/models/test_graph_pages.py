"""The pages of graphs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from aimass.access import CAPABILITY as ACCESS
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.cluster import Runner
from aimass.kernel.errors import NotFound
from aimass.kernel.principal import SYSTEM
from aimass.models import CAPABILITY as MODELS
from aimass.models import Decide, Models, OneVersion, Registration, read_package
from aimass.models.package import Environment, Manifest, write_package
from tests.fixtures.gateway import wait_for
from tests.fixtures.packages import packages
from tests.fixtures.site import Site, site_of


def _approved(site: Site) -> None:
    models, name = site.registry.get(Models), OneVersion(workspace="demo", model="churn", number=1)
    digest = models.keep_package(packages()["one"]).digest
    wish = Registration(workspace="demo", model="churn", digest=digest, origin="run", source="one", key="one")
    models.register(site.people["editor"], wish)
    models.submit_review(site.people["editor"], name)
    step = site.registry.get(Runner).step
    wait_for(lambda: step() or models.version("demo", "churn", 1).review in ("QUARANTINED", "APPROVED"), within=120)
    models.approve(SYSTEM, Decide(workspace="demo", model="churn", number=1))


def test_a_graph_is_composed_in_the_console_and_drawn_on_its_card(tmp_path: Path) -> None:
    with site_of(tmp_path / "site", [ACCESS, CLUSTER, MODELS]) as site:
        _approved(site)
        editor, models = site.visitor("editor"), site.registry.get(Models)
        graph = '{"steps": {"a": {"model": "churn@1"}, "b": {"model": "churn@1"}, "both": {"mean": ["a", "b"]}}}'
        reply = editor.do("POST", "/demo/models/-/compose", model="whole", graph=graph)
        assert reply.status_code in (200, 204), reply.text
        assert editor.do("POST", "/demo/models/-/compose", model="whole", graph="{").status_code == 400

        def made() -> bool:
            site.registry.get(Runner).step()
            with suppress(NotFound):
                return models.version("demo", "whole", 1).review is not None
            return False

        wait_for(made, within=120)
        page = editor.open("/demo/models/whole/versions/1").text
        assert "each row goes only through the steps that its answer needs" in page
        assert '"churn v1"' in page
        assert "churn v1" in editor.open("/demo/models/whole/versions/1?tab=lineage").text


def test_the_card_of_an_uploaded_graph_that_is_none_opens(tmp_path: Path) -> None:
    signature = read_package(packages()["one"]).manifest.signature
    manifest = Manifest(runtime="graph", signature=signature, files={}, environment=Environment(python="3.12"))
    with site_of(tmp_path / "site", [ACCESS, CLUSTER, MODELS]) as site:
        models, editor = site.registry.get(Models), site.visitor("editor")
        for number, text in enumerate((b"{", b"[" * 100_000, b"{}"), 1):
            made = write_package(tmp_path / str(number), manifest, {"graph.json": text})
            digest = models.keep_package(made.folder).digest
            wish = Registration(
                workspace="demo", model="odd", digest=digest, origin="upload", source="x", key=str(number)
            )
            models.register(site.people["editor"], wish)
            assert editor.open(f"/demo/models/odd/versions/{number}").status_code == 200
