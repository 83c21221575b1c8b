"""Where and how a generator computes: the device, what memory it takes, what it is too slow for."""
