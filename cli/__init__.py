"""The fedscan command line."""
