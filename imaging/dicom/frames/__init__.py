"""What one frame of a file is: its kind, its place, its moment."""
