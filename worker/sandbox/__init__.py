"""A PortOne V1 double: a real HTTP server with its own ledger, which judges what was really charged.

The rules (`endpoints.handle`) know nothing of sockets: they yield pauses and one answer, and `app` carries
those out over HTTP. Everything PortOne does not publish is marked "assumed" where it is decided.
"""
