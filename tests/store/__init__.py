"""The folder of a sweep: its reader, its journal, its schema."""
