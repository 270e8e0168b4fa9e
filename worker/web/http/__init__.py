"""HTTP for requests that may be hostile: bodies, headers, connections, rate limits."""
