"""A page on the coordinator's own machine that shows a study as it runs."""
