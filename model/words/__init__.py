"""The words of captions and prompts: a study's vocabulary, and what a generator learnt of it."""
