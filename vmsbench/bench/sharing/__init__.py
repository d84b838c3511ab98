"""Measurements of trainings that share a device or a machine."""
