"""What a site answers to each kind of request, and what that costs."""
