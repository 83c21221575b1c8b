"""Keys and certificates of a federation: who is the coordinator, and who is which site."""
