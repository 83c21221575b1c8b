"""The durable, append-only record of what a data set has spent."""
