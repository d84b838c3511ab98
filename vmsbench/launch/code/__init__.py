"""The code that a job runs, whatever becomes of the checkout or the environment while it waits."""
