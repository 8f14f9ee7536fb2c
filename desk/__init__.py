"""The web side: the HTTP API for other programs and the pages for seats and ops, over the store.

It imports only records. `create_desk` in app.py makes the ASGI application.
"""
