"""Searchers around another searcher: several seeds of each of its choices, work for idle slots."""
