"""Contracts: what every network, encoder, searcher, pruner, tracker, launcher, dataset, metric and model promises.

    from functools import partial
    from vmsbench.testing import network_contract

    def test_my_network_is_one() -> None:
        network_contract(partial(MyNetwork, width=8))

Each is a function that takes a way to make the object, and raises AssertionError with the promise that is not kept.
vmsbench's own tests call them for every file in conf/.
"""

from vmsbench.testing.datasets import dataset_contract
from vmsbench.testing.encoders import encoder_contract
from vmsbench.testing.launchers import launcher_contract
from vmsbench.testing.metrics import metric_contract
from vmsbench.testing.models import model_contract
from vmsbench.testing.networks import network_contract
from vmsbench.testing.pruners import pruner_contract
from vmsbench.testing.searchers import searcher_contract
from vmsbench.testing.trackers import tracker_contract

__all__ = [
    "dataset_contract",
    "encoder_contract",
    "launcher_contract",
    "metric_contract",
    "model_contract",
    "network_contract",
    "pruner_contract",
    "searcher_contract",
    "tracker_contract",
]
