"""Kafka to Celery: `python -m bridge` turns `product_events` and `user_logged_in` into tasks."""
