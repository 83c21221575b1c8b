"""The shipped base generator."""
