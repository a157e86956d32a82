import pytest

import valise


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    broker = valise.Kafka(tmp_path_factory.mktemp("kafka"))
    yield broker
    broker.stop()


@pytest.fixture
def world(tmp_path, kafka):
    made = valise.World(tmp_path, kafka)
    yield made
    made.close()
