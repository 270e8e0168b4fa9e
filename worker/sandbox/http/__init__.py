"""The sandbox over HTTP: PortOne's endpoints, its payment windows, and an API for tests."""
