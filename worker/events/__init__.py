"""Telling others what has happened: events are taken out of the outbox, kept for reading, and delivered."""
