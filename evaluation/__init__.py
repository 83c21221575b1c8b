"""What a generator is worth, and whether it invents, remembers and treats groups alike."""
