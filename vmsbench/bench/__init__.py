"""Measurements of vmsbench itself: searchers and pruners on score tables, the journal, the driver."""
