"""Which configurations to try: searchers, sweeps and their journals, and Ray's side of it."""
