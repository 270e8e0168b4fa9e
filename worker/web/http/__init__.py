"""HTTP for requests from anywhere: bodies, headers, connections, rate limits."""
