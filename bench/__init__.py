"""What the service is measured against, and by what."""
