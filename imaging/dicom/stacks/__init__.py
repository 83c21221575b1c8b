"""From the frames of a series to stacks that show the same and lie alike."""
