"""Customers are told what is to come and what has happened, each notice once: as events, for the host to send."""
