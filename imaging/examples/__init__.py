"""From a scan to training images: upright, resampled, placed in the body."""
