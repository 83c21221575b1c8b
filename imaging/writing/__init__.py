"""Generated images as files that say of themselves that they are synthetic."""
