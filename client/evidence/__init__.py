"""One signed document for information governance: what may leave a site, what left, and why."""
