"""vmsbench: which model predicts what people remember of a picture."""

__version__ = "0.1.0"
