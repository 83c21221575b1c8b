"""A site's data set: patients, their examples and identities, on disk."""
