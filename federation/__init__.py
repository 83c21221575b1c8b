"""What coordinator and site agree on, and what crosses between them."""
