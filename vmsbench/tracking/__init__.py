"""Mirrors of the folders, for people who look at experiments elsewhere. The folders stay the truth."""
