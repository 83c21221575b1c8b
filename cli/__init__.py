"""The command line ``fedscan``."""
