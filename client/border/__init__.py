"""Where a message comes in and where one leaves: nothing passes elsewhere."""
