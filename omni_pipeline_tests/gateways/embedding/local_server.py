"""The app of the local endpoint on a port, for tests that speak to it over a socket."""

from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from omni_pipeline.gateways.embedding.local_endpoint import make_app
from omni_pipeline.gateways.embedding.local_model import LocalModel


def make_local_server(model: LocalModel, *, port: int = 0) -> WSGIServer:
    """A server of ``model`` that listens already; port 0 takes a free one (``server_port``)."""
    return make_server("127.0.0.1", port, make_app(model), _ThreadingServer, _QuietHandler)


class _ThreadingServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    timeout = 60  # seconds in which a client must have sent its request
    disable_nagle_algorithm = True  # else 40 ms pass between head and body

    def log_message(self, *args: Any, **kwargs: Any) -> None:
        """Requests are the pipeline's own; its runs log them."""
