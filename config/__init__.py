"""The one typed study configuration, read from TOML."""
