"""An approved study's data and generator, opened for private training."""
