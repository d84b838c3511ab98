"""What is around a command: disks, environment variables, streams, clocks, users."""
