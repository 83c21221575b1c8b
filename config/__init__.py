"""The one typed configuration: its sections, its TOML form and its reference."""
