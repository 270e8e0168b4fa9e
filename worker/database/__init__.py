"""PostgreSQL: engine, clock, tables, migrations, and rows to values; no statement that changes a business row."""
