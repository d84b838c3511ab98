"""What a sweep was started with, beyond its settings."""
