"""What the container image starts and how it is checked: `python -m deploy all`, `python -m deploy.health`."""
