"""A package of one's own that adds one of each to vmsbench: a network, a searcher, a metric, and so on."""
