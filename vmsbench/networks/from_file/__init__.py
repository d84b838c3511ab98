"""Encoders of libraries of architectures, with weights from a file of the user's own."""
