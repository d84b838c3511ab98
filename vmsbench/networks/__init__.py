"""Architectures: tensors in, tensors out."""
