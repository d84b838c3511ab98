"""A package of one's own that adds a network, a searcher, a pruner, a tracker and a dataset layout to vmsbench."""
