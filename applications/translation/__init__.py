"""From one contrast to another: MR to CT, and T1 to T2."""
