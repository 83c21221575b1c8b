"""The daemon of a site: its home folder, approvals, forwarder and SuperNode."""
