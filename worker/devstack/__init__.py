"""A PostgreSQL, a Valkey and every process of Again on one machine, for `again up` and for tests."""
