"""Refunds: money of a payment goes back, once, whatever becomes of the answer."""
