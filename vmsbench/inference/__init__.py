"""Trained experiments put to use: maps for any picture, and models in other programs' formats."""
