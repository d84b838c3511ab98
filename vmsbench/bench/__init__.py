"""Measurements of the toolkit itself: searchers and stopping rules on score tables, the journal, the driver."""
