"""Making a base from public images and phantoms: what it may be made of, and the making."""
