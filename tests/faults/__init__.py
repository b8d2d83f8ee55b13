"""Faults against the real processes under load, and what must hold all the same: `make faults`, `make safeguards`."""
