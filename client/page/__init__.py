"""The steward's page: what the commands of ``fedscan site`` do, in a browser on this machine."""
