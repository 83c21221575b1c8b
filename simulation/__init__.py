"""The whole federation on one machine, with the unmodified apps."""
