"""RedisStore on one server keeps the contract."""

from __future__ import annotations

import pytest
from urls import url_of

from holdfast.stores.redis import RedisStore
from holdfast.testing import ByUserContract, StoreContract


class TestRedis(StoreContract, ByUserContract):
    @pytest.fixture
    def store(self):
        store = RedisStore.from_url(url_of("HOLDFAST_TEST_REDIS"))
        yield store
        store.close()
