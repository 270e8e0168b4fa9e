"""The ledger's tables, version after version: a ledger of an older version is brought up to date when it is opened."""

from __future__ import annotations

# `charged` and `refunded` are the money that really moved, in KRW, whatever the document shows.
CHARGES = """
CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE billing_keys (
  customer_uid TEXT PRIMARY KEY,
  pg_provider TEXT NOT NULL,
  sandbox INTEGER NOT NULL,
  instrument TEXT NOT NULL,
  holder TEXT NOT NULL,
  story TEXT NOT NULL,
  calls INTEGER NOT NULL DEFAULT 0,
  inserted INTEGER NOT NULL,
  updated INTEGER NOT NULL,
  deleted_at INTEGER
) WITHOUT ROWID;

CREATE TABLE payments (
  number INTEGER PRIMARY KEY,
  imp_uid TEXT NOT NULL UNIQUE,
  merchant_uid TEXT NOT NULL,
  customer_uid TEXT NOT NULL,
  status TEXT NOT NULL,
  amount INTEGER NOT NULL,
  charged INTEGER NOT NULL,
  refunded INTEGER NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND charged),
  started_at INTEGER NOT NULL,
  paid_at INTEGER NOT NULL,
  failed_at INTEGER NOT NULL,
  cancelled_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  visible_at REAL NOT NULL,
  document TEXT NOT NULL
);
CREATE INDEX payments_by_merchant_uid ON payments (merchant_uid);
CREATE INDEX payments_by_customer_uid ON payments (customer_uid);
CREATE INDEX payments_by_start ON payments (started_at);

CREATE TABLE requests (
  number INTEGER PRIMARY KEY,
  received_at REAL NOT NULL,
  endpoint TEXT NOT NULL,
  merchant_uid TEXT,
  customer_uid TEXT,
  result TEXT
);
"""

# `notice_urls` is a JSON list, or NULL: where a payment's webhooks go instead of to the usual address.
WINDOWS = """
ALTER TABLE payments ADD COLUMN notice_urls TEXT;

CREATE TABLE windows (
  window_id TEXT PRIMARY KEY,
  imp_uid TEXT NOT NULL UNIQUE,
  merchant_uid TEXT NOT NULL,
  state TEXT NOT NULL,
  opened_at INTEGER NOT NULL,
  request TEXT NOT NULL,
  result TEXT
) WITHOUT ROWID;
CREATE INDEX windows_by_opening ON windows (opened_at);

CREATE TABLE webhooks (
  number INTEGER PRIMARY KEY,
  imp_uid TEXT NOT NULL,
  merchant_uid TEXT NOT NULL,
  status TEXT NOT NULL,
  cancellation_id TEXT,
  url TEXT NOT NULL,
  state TEXT NOT NULL,
  due_at REAL NOT NULL,
  sends TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX webhooks_waiting ON webhooks (due_at) WHERE state = 'waiting';
"""

# What of a payment was stated to be tax-free, and to be VAT (NULL: not stated), how much of either was refunded, and
# whether the merchant had webhooks when it was made.
TAXES = """
ALTER TABLE payments ADD COLUMN tax_free INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN vat_amount INTEGER;
ALTER TABLE payments ADD COLUMN tax_free_refunded INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN vat_refunded INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN has_webhooks INTEGER NOT NULL DEFAULT 0;
"""

SCHEDULES = """
CREATE TABLE schedules (
  merchant_uid TEXT PRIMARY KEY,
  customer_uid TEXT NOT NULL,
  schedule_at INTEGER NOT NULL,
  fields TEXT NOT NULL,
  state TEXT NOT NULL,
  imp_uid TEXT,
  payment_status TEXT,
  fail_reason TEXT,
  executed_at INTEGER NOT NULL,
  revoked_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX schedules_waiting ON schedules (schedule_at) WHERE state = 'scheduled';
CREATE INDEX schedules_by_customer_uid ON schedules (customer_uid);
"""

LAYOUTS = (CHARGES, WINDOWS, TAXES, SCHEDULES)  # the version of a ledger is the number of them it has
TABLES = ("state", "billing_keys", "payments", "requests", "windows", "webhooks", "schedules")
