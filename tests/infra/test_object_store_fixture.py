"""The simulator is as strict as the code under test relies on."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from obstore import put
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import S3Store

from tests.fixtures.object_store import KEY_ID, REGION, SECRET, ObjectStoreServer


def store(server: ObjectStoreServer) -> S3Store:
    return S3Store(
        server.bucket(),
        endpoint=server.url,
        region=REGION,
        access_key_id=KEY_ID,
        secret_access_key=SECRET,
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )


def test_of_many_conditional_puts_one_wins(object_store: ObjectStoreServer) -> None:
    place = store(object_store)
    old = put(place, "a", b"0")

    def tried(number: int) -> str:
        try:
            put(place, "a", str(number).encode(), mode={"e_tag": old["e_tag"]})
        except PreconditionError:
            return "lost"
        return "won"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(tried, range(1, 9))).count("won") == 1


def test_what_is_there_is_not_made_again(object_store: ObjectStoreServer) -> None:
    place = store(object_store)
    put(place, "a", b"0", mode="create")
    with pytest.raises(AlreadyExistsError):
        put(place, "a", b"1", mode="create")
    with object_store.fault(is_forgetful=True):
        put(place, "a", b"1", mode="create")


def test_a_fault_lasts_as_long_as_it_was_asked_for(object_store: ObjectStoreServer) -> None:
    place = store(object_store)
    with object_store.fault(status=503, methods=["PUT"]), pytest.raises(BaseError, match="503"):
        put(place, "a", b"0")
    put(place, "a", b"0")
