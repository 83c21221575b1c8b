"""What the coordinator runs: rounds, aggregation, checkpoints."""
