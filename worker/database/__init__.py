"""PostgreSQL: the truth, and the only folder with SQL of its own dialect."""
