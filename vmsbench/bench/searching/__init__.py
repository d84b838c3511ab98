"""How searches use seeds and slots."""
