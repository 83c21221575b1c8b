"""A federation of real processes on one machine, to try the commands of a real one."""
