"""Commands for the installation, data and measurements."""
