"""What simulated users do with their browsers, each known to its user in what is to come of it.

A user does one thing at a time, save where two tabs are meant to meet. Users meet each other in the
store alone. What no table can give is left out: answers to one browser that both set a cookie, a
login while the same session ends, and what is slower than ``in_flight``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from pages import Step
from people import Browser, Known, Person, Span, handle_of

_partners = ThreadPoolExecutor(16)


class Visitor(Person):
    """A user who does this and that."""

    def act(self) -> bool:
        """Do something; return whether any browser was awake for it."""
        if self.replaced and self.replaced[0][1] < time.time():
            self.ask(Browser(self.replaced.pop(0)[0]))
            self.tally.count("replaced tokens")
        awake = [each for each in self.browsers if each.rests_until <= time.time()]
        if not awake:
            return False
        browser = self.random.choice(awake)
        known = browser.known
        if known is None or known.user is None or known.ended:
            kinds: dict[Callable[[Browser], None], int] = {
                self.log_in: 6,
                self.log_in_at_once: 1,
                self.write: 3,
                self.read: 2,
            }
        else:
            kinds = {
                self.read: 20,
                self.write: 14,
                self.write_in_two_tabs: 8,
                self.lose_an_answer: 5,
                self.authenticate_again: 3,
                self.log_out: 3,
                self.log_out_in_one_of_two_tabs: 2,
                self.change_password: 2,
                self.change_password_while_others_write: 2,
                self.end_one: 2,
                self.log_in: 1,
            }
        (kind,) = self.random.choices(list(kinds), list(kinds.values()))
        self.tally.count(kind.__name__.replace("_", " "))
        kind(browser)
        if self.random.random() < 0.3:
            browser.rests_until = time.time() + self.random.uniform(0, 1.4) * self.idle
        return True

    def read(self, browser: Browser) -> None:
        """Read; if that renews the token, the one before is good for the grace, and not longer."""
        before = browser.cookie
        standing, _, cookie = self.ask(browser)
        if standing == "in" and cookie:
            began = time.time()
            self.ask(browser)  # first use
            if self._span(began).high - int(began) < self.grace - 1:
                self.ask(Browser(before, browser.known), lost=True)
            self.replaced.append((before, int(time.time()) + self.grace + 1))
        if standing == "out":
            browser.known = None
        elif standing == "withheld":
            self.authenticate_again(browser)

    def write(self, browser: Browser) -> None:
        """Write, signed in or not; what is withheld stays so."""
        standing, _, _ = self.ask(browser)
        if standing == "withheld":
            self.authenticate_again(browser)
            return
        if standing == "out":
            browser.known = None
        value, began = self.value(), time.time()
        dead = browser.known is None and browser.cookie is not None
        standing, _, cookie = self.ask(browser, ("write", "a", value))
        known = browser.known
        if standing == "in" and known is not None:
            known.data["a"] = value
            known.seen = Span(max(known.seen.low, int(began)), known.seen.high)
        elif standing == "withheld":
            self._forget(browser)
        elif cookie:
            self._begin(browser, cookie, None, {"a": value}, self._span(began))
        elif not dead and known is None:
            self._fail("what was written without a session was not kept")
        elif known is not None:
            browser.known = None  # it went over between the two requests

    def log_in(self, browser: Browser) -> None:
        """Log in, maybe to lose the answer; what was written before is kept."""
        lost = self.random.random() < 0.1
        before, old, began = browser.known, browser.cookie, time.time()
        standing, _, cookie = self.ask(browser, ("log in", self.name), lost=lost)
        if not cookie:
            self._fail("a login set no cookie")
            return
        span = self._span(began)
        self._logged_in(browser, before if standing == "in" else None, cookie, span, standing)
        if lost:
            browser.known = None  # and its cookie is dead
        self.ask(Browser(old))
        self.look_at_devices(span)

    def _logged_in(
        self, browser: Browser, before: Known | None, cookie: str, span: Span, standing: str
    ) -> None:
        """Note that a login succeeded: on the session that was there, or another."""
        data = dict(before.data) if before is not None else {}
        handle = handle_of(cookie)
        same = [known for known in self.sessions if known.handle == handle]
        if same and standing == "out":
            self._fail("a login went on with a session that was over")
        for known in same:
            self.sessions.remove(known)
        self._begin(browser, cookie, self.name, data, span)

    def _begin(
        self, browser: Browser, cookie: str, user: str | None, data: dict[str, Any], span: Span
    ) -> None:
        browser.known = Known(handle_of(cookie), user, data, span, span)
        self.sessions.append(browser.known)
        self.tally.count("sessions")

    def _forget(self, browser: Browser) -> None:
        """Have a browser without a session; the one that it had goes on without it."""
        browser.cookie, browser.known = None, None

    def log_in_at_once(self, browser: Browser) -> None:
        """Log in from three browsers without a session at one moment."""
        chosen = [each for each in self.browsers if each.known is None or each.known.ended][:3]
        for each in chosen:
            self._forget(each)
        if browser not in chosen or len(chosen) < 2:
            return
        began = time.time()
        answers = self._at_once([(each, (("log in", self.name),)) for each in chosen])
        span = self._span(began)
        for each, (_, _, cookie) in zip(chosen, answers, strict=True):
            if not cookie:
                self._fail("a login set no cookie")
            else:
                self._begin(each, cookie, self.name, {}, span)
        self.look_at_devices(span, at_once=True)

    def look_at_devices(self, login: Span, *, at_once: bool = False) -> None:
        """See which sessions are left after logins, and whether they are those that are to be."""
        began = time.time()
        _, results, _ = self.ask(Browser(), ("devices", self.name))
        now, listed = self._span(began), set(results[0])
        mine = {known.handle: known for known in self.sessions if known.user is not None}
        if strangers := listed - {each for each, known in mine.items() if not known.ended}:
            self._fail(f"sessions {strangers} are listed that are over or nobody's")
        if len(listed) > self.most:
            self._fail(f"{len(listed)} sessions")
        if not at_once and self.sessions[-1].handle not in listed:
            self._fail("a login ended itself")
        sure = self.surely_open(Span(login.low, now.high))
        stay = [known for known in sure if known.handle in listed]
        gone = [known for known in sure if known.handle not in listed]
        # Whose seconds are doubtful may have counted.
        counted = sum(
            self.standings(known, Span(login.low, now.high)) != {"out"} for known in mine.values()
        )
        if len(gone) > max(0, counted - self.most):
            self._fail(f"{len(gone)} sessions ended, of {counted}")
        for one in gone:
            if not at_once and any(one.created.low > other.created.high for other in stay):
                self._fail(f"{one} ended, and older ones did not: {stay}")
            one.ended = True
            self.tally.count("ended by the cap")
        for known in mine.values():
            known.ended = known.ended or known.handle not in listed

    def _at_once(
        self, requests: list[tuple[Browser, tuple[Step, ...]]], *, checked: bool = True
    ) -> list[tuple[str, Any, str | None]]:
        """Send requests at one moment; no answer changes a browser's cookie."""

        def ask(request: tuple[Browser, tuple[Step, ...]]) -> tuple[str, Any, str | None]:
            browser, steps = request
            return self.ask(browser, *steps, lost=True, checked=checked)

        sending = [_partners.submit(ask, request) for request in requests]
        wait(sending)
        answers = [each.result() for each in sending]
        for (browser, _), (_, _, cookie) in zip(requests, answers, strict=True):
            if cookie is not None:
                browser.cookie = cookie or None
        return answers

    def _stays_in(self, browser: Browser, began: float) -> bool:
        """Whether a browser's session was certainly open from then on, and nothing slow."""
        now = self._span(began)
        slow = now.high - now.low >= self.in_flight - 1
        return self.standings(browser.known, now) == {"in"} and not slow

    def write_in_two_tabs(self, browser: Browser) -> None:
        """Write in two tabs at once, and count: nothing is lost, and there is one new token."""
        began = time.time()
        standing, _, _ = self.ask(browser)
        known = browser.known
        if standing != "in" or known is None:
            return
        one, two = self.value(), self.value()
        steps = [(("write", "a", one), ("add", "count")), (("write", "b", two), ("add", "count"))]
        # What either finds depends on the other.
        answers = self._at_once([(browser, each) for each in steps], checked=False)
        if not self._stays_in(browser, began):
            self._forget(browser)
            return
        if sum(cookie is not None for _, _, cookie in answers) > 1:
            self._fail("both of two tabs set the cookie")
        known.data |= {"a": one, "b": two, "count": known.data.get("count", 0) + 2}
        self.ask(browser)

    def lose_an_answer(self, browser: Browser) -> None:
        """Ask, and never get the answer, with the new token if there was one."""
        standing, _, cookie = self.ask(browser, lost=True)
        if cookie:
            self.tally.count("lost renewals")
        if standing == "out":
            browser.known = None

    def authenticate_again(self, browser: Browser) -> None:
        """Give the password again: what was withheld is back, or nobody is signed in."""
        standing, _, _ = self.ask(browser)
        known = browser.known
        if standing == "out" or known is None:
            browser.known = None
            return
        aside = {}
        if standing == "withheld" and self.random.random() < 0.5:
            # A form that needs something in the session.
            aside = {"form": self.value(), "a": self.value()}
            steps = [("write", key, value) for key, value in aside.items()]
            if self.ask(browser, *steps)[0] != "withheld":
                self._forget(browser)
                return
            known.data = aside | known.data
        began = time.time()
        answer, cookie = self._send_again(browser)
        if not cookie:
            # Over since the look a moment ago.
            if self.standings(known, self._span(began)) == {"in"}:
                self._fail(f"authenticating again set no cookie: {answer}")
            self._forget(browser)
            return
        self._renewed(browser, cookie, began)

    def _send_again(self, browser: Browser, step: str = "again") -> tuple[Any, str | None]:
        try:
            answer, cookie = self.pages.send(browser.cookie, ((step,),))
        except Exception as error:  # noqa: BLE001  # NotSignedIn among them; it is told by the caller
            return repr(error), None
        self._count(time.time(), ((step,),))
        if isinstance(answer, dict):
            self._look_for_others(answer["found"])
        return answer, cookie

    def _renewed(self, browser: Browser, cookie: str, began: float) -> None:
        known, span, before = browser.known, self._span(began), browser.cookie
        browser.cookie = cookie
        if known is not None:
            # By all methods of the login: its time begins anew.
            known.created = known.seen = span
            if known.handle != handle_of(cookie):
                self._fail("another session came of authenticating again")
            self.ask(browser)
            if before != cookie:
                self.ask(Browser(before))

    def log_out(self, browser: Browser) -> None:
        """Log out, be it withheld or over; an older token opens nothing then."""
        before = browser.cookie
        self.ask(browser, ("log out",))
        self._ended(browser)
        self.ask(Browser(before))

    def _ended(self, browser: Browser) -> None:
        if browser.known is not None:
            browser.known.ended = True
        browser.known = None

    def log_out_in_one_of_two_tabs(self, browser: Browser) -> None:
        """Log out in one tab while the other writes: it is over, whichever comes last."""
        began, before = time.time(), browser.cookie
        standing, _, _ = self.ask(browser)
        if standing != "in":
            return
        requests = [(browser, (("log out",),)), (browser, (("write", "a", self.value()),))]
        self._at_once(requests, checked=False)
        certain = self._stays_in(browser, began)
        self._ended(browser)
        self.ask(Browser(before))
        if certain:
            self.ask(browser)
        else:
            self._forget(browser)

    def change_password(self, browser: Browser) -> None:
        """End the user's other sessions; this one goes on under another token."""
        standing, _, _ = self.ask(browser)
        if standing != "in":
            return
        began = time.time()
        answer, cookie = self._send_again(browser, "change password")
        self._password_changed(browser, cookie, began, answer)

    def _password_changed(
        self, browser: Browser, cookie: str | None, began: float, answer: Any
    ) -> None:
        known = browser.known
        if not cookie or known is None:
            if known is not None and self.standings(known, self._span(began)) == {"in"}:
                self._fail(f"changing the password set no cookie: {answer}")
            self._forget(browser)
            return
        for other in self.sessions:
            if other is not known and other.user is not None:
                other.ended = True
        self._renewed(browser, cookie, began)

    def change_password_while_others_write(self, browser: Browser) -> None:
        """End the other sessions while they write: they are over all the same."""
        began = time.time()
        soon = Span(int(began), int(began) + 1)
        others = [
            each
            for each in self.browsers
            if each is not browser
            and each.known is not None
            and each.known.user is not None
            and self.standings(each.known, soon) == {"in"}
        ]
        if not others or self.standings(browser.known, soon) != {"in"}:
            return
        other = self.random.choice(others)
        requests = [
            (browser, (("change password",),)),
            (other, (("write", "a", self.value()), ("add", "count"))),
        ]
        (_, _, cookie), _ = self._at_once(requests, checked=False)
        certain = self._stays_in(other, began) and self._stays_in(browser, began)
        self._password_changed(browser, cookie, began, "")
        if certain:
            self.ask(other)
        else:
            self._forget(other)

    def end_one(self, browser: Browser) -> None:
        """End one of the devices by its name; no other ends."""
        now = int(time.time())
        sure = [
            known for known in self.surely_open(Span(now, now + 1)) if known is not browser.known
        ]
        if not sure:
            return
        chosen = self.random.choice(sure)
        _, results, _ = self.ask(browser, ("end", f"not {self.name}", chosen.handle))
        if results != [False]:
            self._fail(f"{chosen} was ended as another's")
        _, results, _ = self.ask(browser, ("end", self.name, chosen.handle))
        if results != [True] and chosen in self.surely_open(Span(now, int(time.time()))):
            self._fail(f"{chosen} could not be ended")
        chosen.ended = True
