"""Subscriptions from a CSV file, all of them or none."""
