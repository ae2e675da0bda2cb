"""RedisStore on one server keeps the contract."""

from __future__ import annotations

import pytest
from urls import url_of

from holdfast import StoreUnavailable
from holdfast.stores.redis import RedisStore
from holdfast.testing import (
    ByUserContract,
    CappableContract,
    ListableContract,
    StoreContract,
    a_record,
)


class TestRedis(StoreContract, ByUserContract, CappableContract, ListableContract):
    @pytest.fixture
    def store(self):
        store = RedisStore.from_url(url_of("HOLDFAST_TEST_REDIS"))
        yield store
        store.close()


def test_the_end_of_a_session_that_no_replica_has():
    """With `retire_replicas` both ways to end a session fail where so many replicas are missing."""
    url = f"{url_of('HOLDFAST_TEST_REDIS')}?retire_replicas=1&timeout=2"
    store = RedisStore.from_url(url)
    record = a_record()
    assert store.create(record)
    with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
        store.retire(record.key, ended=record.seen, expires=record.expires)
    with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
        store.create(a_record(ended=record.seen, data=b"", secret=b""))
    store.close()
