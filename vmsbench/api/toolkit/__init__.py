"""The toolkit itself from Python: the installation, FID's weights, datasets, measurements."""
