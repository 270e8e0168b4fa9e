"""The only writer of charges and attempts: one file per transition, each write guarded by the state it expects."""
