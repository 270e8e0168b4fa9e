"""Notices: what a customer is told about their subscription, and when. Pure."""
