"""The whole stack on one machine without Docker and without root: finds or installs, starts, watches, stops."""
