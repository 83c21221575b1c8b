"""What runs inside a hospital: scans become patients, patients a private update."""
