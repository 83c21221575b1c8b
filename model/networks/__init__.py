"""The networks of a generator: their sizes, and the autoencoder that is fedscan's own."""
