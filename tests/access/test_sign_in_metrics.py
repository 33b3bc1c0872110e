"""What control counts of sign-ins and tokens, read as Prometheus does; every counter that is declared is there, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx2
import pytest

from aimass.access.capability import CAPABILITY
from aimass.access.domain.keys import CreateKey, OneKey
from aimass.access.domain.people import SignIn, SignOut
from aimass.access.errors import LockedOut, WrongCredentials
from aimass.bootstrap import capabilities
from aimass.cluster import CAPABILITY as CLUSTER
from aimass.kernel.counters import Counters
from aimass.kernel.principal import SYSTEM
from aimass.lake import CAPABILITY as LAKE
from tests.fixtures.browser import serving
from tests.fixtures.site import Site, site_of


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_of(tmp_path_factory.mktemp("site"), [CAPABILITY, CLUSTER, LAKE]) as found:
        yield found


@pytest.fixture(scope="module")
def url(site: Site) -> Iterator[str]:
    with serving(site.app) as address:
        yield address


def text(url: str) -> str:
    answer = httpx2.get(f"{url}/metrics/control", trust_env=False, timeout=30)
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.text


def value(url: str, line: str) -> int:
    """The value of a series; 0 while it is not there."""
    return next((int(one.split()[-1]) for one in text(url).splitlines() if one.startswith(f"aimass_{line} ")), 0)


def test_every_declared_counter_is_shown_and_no_other(url: str) -> None:
    shown = set(re.findall(r"^# TYPE aimass_(\w+)_total counter$", text(url), re.MULTILINE))
    assert shown == {name for one in capabilities() for name in one.metrics}
    assert shown == {*CAPABILITY.metrics, *LAKE.metrics}


def test_what_nobody_declared_cannot_be_counted() -> None:
    with pytest.raises(KeyError):
        Counters(CAPABILITY.metrics).add("access_made_up")


def test_sign_ins_are_counted_by_way_and_result_and_name_nobody(site: Site, url: str) -> None:
    wrong = 'access_sign_ins_total{result="access_wrong_credentials",way="password"}'
    locked, before = 'access_lock_outs_total{of="sign_in"}', value(url, wrong)
    for _ in range(50):
        try:
            site.access.sign_in(SYSTEM, SignIn(name="prober", password="guess-of-a-stranger"))
        except WrongCredentials:
            continue
        except LockedOut:
            break
    assert value(url, wrong) > before
    assert value(url, locked) == 1
    assert value(url, 'access_sign_ins_total{result="access_locked_out",way="password"}') == 1
    site.access.sign_out(SYSTEM, SignOut(token="ais_none"))
    assert value(url, 'access_revocations_total{of="session"}') == 0
    assert "prober" not in text(url)


def test_tokens_are_counted_by_grant_and_result(site: Site, url: str) -> None:
    def ask(**form: str) -> int:
        return httpx2.post(f"{url}/oauth2/token", data=form, trust_env=False, timeout=30).status_code

    key = site.access.create_key(site.root, CreateKey(workspace="demo", name="shop"))
    good = {"grant_type": "client_credentials", "client_id": key.key.id, "client_secret": key.text}
    assert ask(**good) == 200
    assert ask(**{**good, "client_secret": "aim_wrong"}) == 401
    assert ask(grant_type='made-up"{}') == 400
    tokens = "access_tokens_total"
    assert value(url, f'{tokens}{{grant="client_credentials",result="ok"}}') == 1
    assert value(url, f'{tokens}{{grant="client_credentials",result="access_token_client"}}') == 1
    assert value(url, f'{tokens}{{grant="other",result="access_token_grant"}}') == 1
    assert "made-up" not in text(url)
    site.access.revoke_key(site.root, OneKey(workspace="demo", key=key.key.id))
    assert value(url, 'access_revocations_total{of="key"}') == 1


def test_codes_of_devices_are_counted(url: str) -> None:
    begun = 'access_device_codes_total{state="begun"}'
    form = {"client_id": "aimass-cli"}
    assert httpx2.post(f"{url}/oauth2/device_authorization", data=form, trust_env=False, timeout=30).status_code == 200
    assert value(url, begun) == 1
