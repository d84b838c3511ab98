"""The report's verdict, its tables and figures of scores in the two tracks, differences and cost."""
