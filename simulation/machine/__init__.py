"""What a simulation takes of its machine: devices, memory, and rates that fit a base."""
