"""Training a base generator on images that are nobody's: no privacy is spent here."""
