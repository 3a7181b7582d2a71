"""The bundled site of the demo and the tests, and the server that serves it on loopback.

Nothing of it is used by a refresh of another site.
"""
