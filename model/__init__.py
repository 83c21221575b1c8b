"""The conditional latent diffusion generator: its parts, training objective and sampling."""
