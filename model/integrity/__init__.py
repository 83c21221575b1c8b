"""What the files and values of a generator must be before anything is made of them."""
