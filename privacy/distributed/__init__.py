"""One step's sum over several devices of one machine: patients are shared out, noise is not."""
