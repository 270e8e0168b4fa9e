"""A year in a minute: a made-up book of customers is charged by the real code in a database that is thrown away."""
