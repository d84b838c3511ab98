"""Models: losses and sampling of regression, pix2pix, Wasserstein GANs and diffusion."""
