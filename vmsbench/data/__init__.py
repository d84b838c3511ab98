"""Pairs of an image and its Visual Memory Schema map: read once, held on the device as bytes."""
