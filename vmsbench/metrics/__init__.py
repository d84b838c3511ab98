"""Scores of predicted maps, next to predictors that ignore the image."""
