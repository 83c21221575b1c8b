"""What is done with a finished generator."""
