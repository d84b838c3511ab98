"""Tests of vmsbench from Python."""
