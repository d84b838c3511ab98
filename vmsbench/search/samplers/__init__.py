"""Searchers by Optuna's samplers."""
