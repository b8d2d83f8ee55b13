"""What is true: orders and their transitions, stock, customers. Nothing here logs, speaks HTTP or knows Celery."""
