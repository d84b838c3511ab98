"""What the report computes: rankings, seed noise, parameter importance."""
