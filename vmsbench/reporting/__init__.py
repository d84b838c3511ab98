"""From the folders of sweeps to tables, figures and one page: `vmsbench.reporting.report.report(runs, names, out)`."""
