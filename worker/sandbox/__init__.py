"""A PortOne V1 double: a real HTTP server with its own ledger, which judges what was really charged.

It has the JavaScript SDK (`/v1/iamport.js`), a payment window per wallet and webhooks as well, so that a customer can
register a billing key in a browser. The rules (`endpoints.handle`) know nothing of sockets: they yield pauses and one
answer, and `app` carries those out over HTTP. What PortOne does not publish is marked "assumed" where it is decided.
"""
