"""From the folders of sweeps to tables, figures and one page."""
