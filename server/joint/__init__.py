"""Joint studies: the coordinator sees the sums of several sites' parts, and no part."""
