"""Faults injected into a toy sweep, to see that it recovers."""
