"""How far training came with each round, by what costs no privacy."""
