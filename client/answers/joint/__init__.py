"""What a site adds to joint sums: computed and paid for first, sent only under masks."""
