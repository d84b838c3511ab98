"""What the two tracks need of a predictor: its one answer, that answer dressed, and what it is held against."""
