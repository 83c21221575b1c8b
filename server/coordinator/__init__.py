"""The coordinator: its folder, its processes and the studies it runs."""
