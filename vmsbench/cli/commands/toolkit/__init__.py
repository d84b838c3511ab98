"""Commands about this installation and its data."""
