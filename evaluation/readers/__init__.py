"""A reader study: people judge, blind, which images are real."""
