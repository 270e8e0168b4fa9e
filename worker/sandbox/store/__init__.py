"""The sandbox's ledger: a SQLite file of its own."""
