"""Inference with trained models: maps for any picture, and export to other programs' formats."""
