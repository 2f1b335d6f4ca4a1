"""The server: uvicorn, which ends at once though streams are open."""

import gc
import logging
import socket

import uvicorn
from fastapi import FastAPI

from tuner.service.app import make_app
from tuner.service.options import Options
from tuner.service.watch import Watch

PATIENCE = 3
"""Seconds that answers in the making have to end as the server does."""


class Server(uvicorn.Server):
    """uvicorn, with streams that end first: it would wait for them for ever.

    Args:
        config: uvicorn's.
        watch: The poller that feeds the streams.
    """

    def __init__(self, config: uvicorn.Config, watch: Watch) -> None:
        super().__init__(config)
        self._watch = watch

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen; what was imported stays for good, so the garbage collector need not look at it each time."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 20, 50)  # rows of an answer are many, and hold no cycles
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then the rest."""
        await self._watch.close()
        await super().shutdown(sockets)


def make_server(options: Options, port: int) -> Server:
    """A server that listens at the options' host.

    Args:
        options: How it is set up.
        port: 0 for any that is free.
    """
    watch = Watch(options.storage, options.interval)
    return Server(make_config(make_app(options, watch), options.host, port), watch)


def make_config(app: FastAPI, host: str, port: int) -> uvicorn.Config:
    """How uvicorn serves the application."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level=logging.INFO,
        access_log=False,  # an address may hold what is nobody else's business
        server_header=False,
        timeout_graceful_shutdown=PATIENCE,
        ws="none",
        limit_concurrency=1000,
    )
