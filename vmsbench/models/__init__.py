"""What is lowered, by whom, in which order: regression, pix2pix, diffusion."""
