"""A program whose children each serve one application on a free port of the loopback address.

It reads lines of JSON: what a child is to be configured with, or the id of the child that is to
end. It answers with a line each: the child's id and port. All children end with it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from datetime import timedelta

import flask
from werkzeug.serving import WSGIRequestHandler, make_server

import holdfast.core.sealing
import holdfast.stores.redis  # here, so that no child need do it
from holdfast import Policy
from holdfast.flask import Holdfast, end_user, session


class QuietHandler(WSGIRequestHandler):
    """Answers at once, and logs nothing."""

    disable_nagle_algorithm = True

    def log(self, *_args):
        pass


def make_app(config):
    """Return an application by a configuration; its answers tell when they began and ended."""
    app = flask.Flask("fleet")
    app.config["SECRET_KEY"] = config["secret"]
    app.config["SECRET_KEY_FALLBACKS"] = config["fallbacks"]
    policy = Policy(idle=timedelta(days=1), absolute=timedelta(days=2))
    Holdfast(
        app,
        seal=True,
        store=config.get("store"),
        revocations=config.get("revocations"),
        policy=policy,
        listeners=(),
    )

    @app.get("/login/<user>")
    def login(user):
        session.log_in(user, methods=["password"])
        session["number"] = 0
        return who()

    @app.get("/logout")
    def logout():
        session.log_out()
        return ""

    @app.get("/me")
    def who():
        return {"user": session.user_id, "number": session.get("number")}

    @app.get("/count")
    def count():
        if session.user_id is not None:
            session["number"] += 1
        return who()

    @app.get("/end/<user>")
    def end(user):
        end_user(user)
        return ""

    serve = app.wsgi_app

    def timed(environ, start_response):
        arrived = time.time()

        def start(status, headers, *more):
            # By now the session is saved.
            headers.append(("X-Times", json.dumps([arrived, time.time()])))
            return start_response(status, headers, *more)

        return serve(environ, start)

    app.wsgi_app = timed
    return app


def serve(config, answers, lifeline):
    """Serve until the parent is gone."""

    def end_with_parent():
        os.read(lifeline, 1)
        os._exit(0)

    threading.Thread(target=end_with_parent, daemon=True).start()
    app = make_app(config)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)
    os.write(answers, f"{os.getpid()} {server.port}\n".encode())
    server.serve_forever()


def main():
    """Do what the lines say."""
    holdfast.core.sealing.Cipher()  # this imports more
    lifeline, held = os.pipe()
    answers = sys.stdout.fileno()
    for line in sys.stdin:
        order = json.loads(line)
        if isinstance(order, int):
            os.kill(order, signal.SIGKILL)
            os.waitpid(order, 0)
            os.write(answers, f"{order} 0\n".encode())
        elif os.fork() == 0:
            os.close(held)
            try:
                serve(order, answers, lifeline)
            except BaseException:  # noqa: BLE001  # whatever it is, the test is to tell
                traceback.print_exc()
                os.write(answers, b"failed\n")
            finally:
                os._exit(1)


if __name__ == "__main__":
    main()
