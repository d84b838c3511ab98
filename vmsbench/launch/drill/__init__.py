"""Faults injected into a toy sweep, to check that it recovers."""
