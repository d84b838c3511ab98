"""Sweeps: trials in their folders, finals, plans and status."""
