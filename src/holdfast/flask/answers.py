"""What an application answers where it does not handle an error of its sessions itself."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import flask
from werkzeug.exceptions import HTTPException, ServiceUnavailable, Unauthorized

from holdfast.errors import (
    HoldfastError,
    NotSignedIn,
    ReauthenticationRequired,
    SessionConflict,
    StoreUnavailable,
)

if TYPE_CHECKING:
    from flask import Flask, Response

_log = logging.getLogger("holdfast")

Answered = StoreUnavailable | SessionConflict | NotSignedIn | ReauthenticationRequired


def register_handlers(app: Flask) -> None:
    """Have an application answer where it has no handler of its own."""

    def answer(error: Answered) -> Any:
        for scope in (*flask.request.blueprints, None):
            handler: Any = app.error_handler_spec[scope][None].get(HoldfastError)
            if handler is not None:
                return app.ensure_sync(handler)(error)
        # By way of the application's handler for the status, if it has one.
        return app.handle_http_exception(_as_http(error))

    for error in (StoreUnavailable, SessionConflict, NotSignedIn, ReauthenticationRequired):
        handlers: Any = app.error_handler_spec[None][None]
        handlers.setdefault(error, answer)


def _as_http(error: Answered) -> HTTPException:
    if isinstance(error, NotSignedIn):
        return Unauthorized("Please sign in first.")
    if isinstance(error, ReauthenticationRequired):
        return Unauthorized("Please confirm first who you are.")
    return ServiceUnavailable(
        "Your session can't be used at the moment. Please try again soon.",
        retry_after=error.retry_after,
    )


def answer_instead(
    app: Flask, error: StoreUnavailable | SessionConflict, response: Response
) -> None:
    """Make of a response the answer to ``error``: its status, headers and body, and close the old.

    The application's handler is asked first; if that fails too, the answer is a plain 503.
    """
    try:
        answer = app.make_response(app.handle_user_exception(error))
    except Exception as failure:  # noqa: BLE001  # a handler is an application's: anything
        if failure is not error:
            _log.exception("the handler for %s failed", type(error).__name__)
        answer = app.make_response(_as_http(error).get_response())
    with suppress(Exception):
        close: Any = getattr(response.response, "close", None)
        if close is not None:
            close()
    response.direct_passthrough = False
    response.status = answer.status
    response.headers.clear()
    response.headers.extend(answer.headers)
    response.response = answer.response
    response.call_on_close(answer.close)
