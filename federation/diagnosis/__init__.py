"""What may be wrong with a machine, a connection or a certificate, and what mends it."""
