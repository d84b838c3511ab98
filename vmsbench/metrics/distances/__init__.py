"""Distances between sets of maps, in the features of Inception or of another network."""
