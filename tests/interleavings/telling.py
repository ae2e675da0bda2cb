"""Tell a schedule in words, with short names for sessions and tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kinds import Kind
from program import START
from promises import Problem
from sight import holding

from holdfast.core.ops import Cap, Create, Load, OfUser, Operation, Save
from holdfast.core.record import Record
from holdfast.core.token import parse


class Trace:
    """Names for what appears in one schedule, in the order of appearance."""

    def __init__(self, kinds: Sequence[Kind], start: Any, state: Any) -> None:
        self.kinds = kinds
        self.start = start
        self.state = state
        self._sessions: dict[bytes, str] = {}
        self._secrets: dict[bytes, str] = {}

    def tell(self, steps: Sequence[Any], problems: Sequence[Problem]) -> str:
        """Return a schedule and what it broke."""
        kinds = ", ".join(f"{number}: {kind}" for number, kind in enumerate(self.kinds, 1))
        cookie = self.token(self.state.cookie)
        lines = [f"{kinds}; beginning with {self.start.name}, cookie {cookie}"]
        sent = set()
        for step in steps:
            if step.index is None:
                lines.append(f"   {step.how}")
                continue
            point, how = step.how
            me = step.index + 1
            if me not in sent:
                lines.append(f"{me}  is sent with {self.token(point.request.text)}")
                sent.add(me)
            asked = point.path[-1] if point.path else None
            if how == "its answer arrives":
                lines.append(f"{me}  {how}: {self.cookie(point)}")
            elif how in {"", "the store fails", "the answer is lost"} and asked is not None:
                lines.append(f"{me}  {self.asked(asked.operation, asked.answer)}")
                if point.asks is None:
                    end = repr(point.error) if point.error else self.cookie(point)
                    lines.append(f"{me}  answers: {end}{', dropped' * point.dropped}")
            else:
                lines.append(f"{me}  {how}")
        lines += [f"BROKEN: {problem.promise.value}: {problem.how}" for problem in problems]
        return "\n    ".join(lines)

    def asked(self, operation: Operation, answer: Any) -> str:
        name = type(operation).__name__.lower()
        if isinstance(operation, Cap | OfUser):
            found = self.sessions(answer) if isinstance(answer, list) else answer
            keep = f" to {operation.keep}" if isinstance(operation, Cap) else ""
            return f"{name} {operation.user_id}{keep} → {found}"
        if isinstance(operation, Create | Save):
            what = self.record(operation.record)
        else:
            what = self.session(operation.key)
        if isinstance(operation, Load) and isinstance(answer, Record):
            answer = self.record(answer)
        return f"{name} {what} → {answer}"

    def sessions(self, answer: list[Any]) -> str:
        keys = [one.key if isinstance(one, Record) else one for one in answer]
        return ", ".join(map(self.session, keys)) or "none"

    def cookie(self, point: Any) -> str:
        action, text = point.outcome
        return f"{action.name.lower()} cookie {self.token(text) if text else ''}"

    def record(self, record: Record) -> str:
        session = self.session(record.key)
        if record.ended:
            return f"{session} (ended)"
        secrets = self.secret(record.secret)
        if record.previous:
            secrets += f", before {self.secret(record.previous)}"
        held = holding(record.data)
        aside = f", aside {held.aside}" if held.aside else ""
        how = f"v{record.version} secret {secrets} seen {record.seen - START:+}"
        return f"{session} {how} {held.contents}{aside}"

    def token(self, text: str) -> str:
        token = parse(text)
        if token is None:
            return text or "none"
        return f"{self.session(token.key)}/{self.secret(token.digest)}"

    def session(self, key: bytes) -> str:
        return self._sessions.setdefault(key, f"S{len(self._sessions) + 1}")

    def secret(self, digest: bytes) -> str:
        return self._secrets.setdefault(digest, "abcdefghijklmnop"[len(self._secrets)])
