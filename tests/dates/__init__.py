"""The fast layers on other dates than today's: `make test-dates`."""
