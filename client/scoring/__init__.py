"""How well a generator fits a site's held-out patients: exact at the site, noised outside."""
