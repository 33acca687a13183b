"""Whether, when and where a call that failed is tried again. Knows neither gRPC nor a clock's threads.

All calls only compute, so that they may be made again. The blocking and the asyncio client share this.
"""

import dataclasses
import random
import threading
import time
from collections.abc import Sequence
from typing import Any

from quantd import _errors
from quantd._errors import QuantdError

#: What an answered message gives back to the budget.
_REFUND = 0.2
_SECONDS_PER_YEAR = 365 * 24 * 60 * 60


@dataclasses.dataclass(frozen=True)
class RetryOptions:
    """How a client tries failed calls again, for at most `max_outage` seconds and the timeout of the call.

    A failed try goes to the client's next address at once. When all addresses have failed, the client
    pauses, at first for about `initial_backoff` seconds and then twice as long each time, up to
    `max_backoff` seconds; longer if the server asks for it. Half of each pause is random.
    """

    #: In seconds, above 0 and at most `max_backoff`.
    initial_backoff: float = 0.05
    #: In seconds, at most an hour.
    max_backoff: float = 1.0
    #: How many retries a client has, at least 1. Each takes 1, and each answered message gives 0.2 back, so
    #: that servers which are down or overloaded are not stormed.
    budget: int = 100
    #: How long a call goes on trying while no server answers, in seconds, at most a year: from its first
    #: failure since the last answer to the beginning of its last try. 0: calls are made once.
    max_outage: float = 5.0

    def __post_init__(self) -> None:
        for name in ("initial_backoff", "max_backoff", "max_outage"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TypeError(f"{name} is {value!r}; expected a number of seconds")
        if not 0 < self.initial_backoff <= self.max_backoff <= 3600:
            raise ValueError(
                f"initial_backoff is {self.initial_backoff:g} s and max_backoff {self.max_backoff:g} s; "
                "expected 0 < initial_backoff <= max_backoff <= 3600 s")
        if not 0 <= self.max_outage <= _SECONDS_PER_YEAR:
            raise ValueError(
                f"max_outage is {self.max_outage:g} s; expected 0 to {_SECONDS_PER_YEAR} s (a year)")
        if isinstance(self.budget, bool) or not isinstance(self.budget, int):
            raise TypeError(f"budget is {self.budget!r}; expected an int")
        if not 1 <= self.budget <= 10**6:
            raise ValueError(
                f"budget is {self.budget}; expected 1 to 1000000: pass retry=False for no retries")


def options_of(retry: Any) -> RetryOptions | None:
    """Returns a client's argument as options, or None if it never retries."""
    if isinstance(retry, RetryOptions):
        return retry if retry.max_outage > 0 else None
    if not isinstance(retry, bool):
        raise TypeError(f"retry is {retry!r}; expected True, False or a quantd.RetryOptions")
    return RetryOptions() if retry else None


class Budget:
    """How many retries a client has left. Any thread may use it."""

    def __init__(self, size: int) -> None:
        self._size = float(size)
        self._left = self._size
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Takes a retry, and returns whether there was one."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True

    def refund(self) -> None:
        """Notes an answered message."""
        if self._left < self._size:
            with self._lock:
                self._left = min(self._left + _REFUND, self._size)

    @property
    def has_surplus(self) -> bool:
        return self._left > self._size / 2


class Rotation:
    """In which order a client's addresses are used. Any thread may use it.

    Calls take turns. An address that has failed is left out until it is tried again, by one call at a time
    and after growing pauses: otherwise, a server that is down would cost each of its turns a retry.
    """

    def __init__(self, count: int, options: RetryOptions) -> None:
        self._count = count
        self._options = options
        self._turn = random.randrange(count)
        #: For each address, how often it has failed since its last answer, and when it may be tried again.
        self._failures = [0] * count
        self._pause_ends = [0.0] * count
        self._lock = threading.Lock()

    def first(self, may_probe: bool) -> int:
        """Returns the address for a new call. `may_probe`: whether to try one again that has failed."""
        if self._count == 1:
            return 0
        with self._lock:
            self._turn = (self._turn + 1) % self._count
            order = self._from(self._turn)
            now = time.monotonic()
            for index in order:
                if self._failures[index] == 0:
                    return index
                if may_probe and self._pause_ends[index] <= now:
                    self._pause_ends[index] = now + self._options.max_backoff
                    return index
            return min(order, key=lambda index: self._pause_ends[index])

    def order_after(self, index: int) -> list[int]:
        """Returns all addresses in the order in which a call goes on: `index` last, those that work first."""
        return sorted(self._from((index + 1) % self._count),
                      key=lambda other: other == index or self._failures[other] > 0)

    def note_failure(self, index: int) -> None:
        with self._lock:
            self._failures[index] += 1
            pause = backoff(self._options, self._failures[index])
            self._pause_ends[index] = time.monotonic() + pause

    def note_answer(self, index: int) -> None:
        if self._failures[index] > 0:
            with self._lock:
                self._failures[index] = 0

    def _from(self, first: int) -> list[int]:
        return [(first + offset) % self._count for offset in range(self._count)]


def backoff(options: RetryOptions, round_number: int) -> float:
    """Returns how long to pause after the given round of failures (from 1), in seconds."""
    # 2**1000 is about what a float can be.
    longest = min(options.initial_backoff * 2.0**min(round_number - 1, 1000), options.max_backoff)
    return longest * random.uniform(0.5, 1)


class Retries:
    """What the calls of one client share. Any thread may use it."""

    def __init__(self, options: RetryOptions | None, addresses: Sequence[str]) -> None:
        """`addresses`: how errors name them."""
        self.addresses = tuple(addresses)
        self.options = options
        self._shape = options or RetryOptions()
        self.budget = Budget(self._shape.budget)
        self.rotation = Rotation(len(addresses), self._shape)

    def begin(self, timeout: float) -> "Tries":
        """Returns the first try of a call that has `timeout` seconds for each answer."""
        may_probe = self.options is not None and self.budget.has_surplus
        return Tries(self, self.rotation.first(may_probe), timeout)


class Tries:
    """The tries of one call. One thread at a time may use it, except for `end`."""

    def __init__(self, retries: Retries, first: int, timeout: float) -> None:
        self._retries = retries
        #: The index of the address for the next try.
        self.index = first
        self._timeout = timeout
        self._began = time.monotonic()
        #: When the next answer has to be there, as time.monotonic(): progress moves it, and failures do not.
        self.end = self._began + timeout
        self._count = 1
        #: The addresses that have failed since the last pause, and the pauses since the last answer.
        self._failed: set[int] = set()
        self._rounds = 0
        #: When the first try since the last answer failed, as time.monotonic().
        self._outage_began: float | None = None
        #: When servers that asked for a pause may be tried again, by index.
        self._asked_pauses: dict[int, float] = {}
        self._last_errors: dict[int, str] = {}

    @property
    def address(self) -> str:
        return self._retries.addresses[self.index]

    @property
    def timeout(self) -> float:
        return self._timeout

    def remaining(self) -> float:
        """Returns how many seconds there are for the next answer, and always more than 0."""
        return max(self.end - time.monotonic(), 0.001)

    def note_answer(self) -> None:
        """Notes that a message was answered, so that the timeout and the pauses begin anew.

        The outage, if there was one, is over.
        """
        self._retries.budget.refund()
        self._retries.rotation.note_answer(self.index)
        self._failed.clear()
        self._rounds = 0
        self._outage_began = None
        self.end = time.monotonic() + self._timeout

    def after(self, failure: _errors.Failure) -> float:
        """Returns how many seconds to pause before the next try, which is then at `index`.

        Errors: that of the call, if there is no other try.
        """
        error = failure.error
        self._last_errors[self.index] = error.message
        if self._outage_began is None:
            self._outage_began = time.monotonic()
        options = self._retries.options
        if not failure.may_be_retried or options is None:
            raise self._final(error, "")
        self._retries.rotation.note_failure(self.index)
        if failure.pause is not None:
            if failure.pause < 0:
                raise self._final(error, "the server asks not to try again")
            # Clients that were told the same do not come at the same time.
            self._asked_pauses[self.index] = time.monotonic() + failure.pause * random.uniform(1, 1.1)
        pause = self._choose_next(options)
        next_try = time.monotonic() + pause
        if next_try >= self.end:
            raise self._final(error, "the next try would come after the timeout of "
                              f"{self._timeout:g} s")
        if next_try >= self._outage_began + options.max_outage:
            raise self._final(error, "the next try would come after the max_outage of "
                              f"{options.max_outage:g} s")
        if not self._retries.budget.take():
            raise self._final(error, f"this client has used up its {options.budget} retries, which come back "
                              "with answers")
        self._count += 1
        return pause

    def ran_out(self) -> QuantdError:
        """Returns the error for a call that had no answer in time."""
        return self._with_tries(_errors.no_answer(self.address, self._timeout), "")

    def _choose_next(self, options: RetryOptions) -> float:
        """Sets `index` to the next address, and returns the pause before it."""
        self._failed.add(self.index)
        order = self._retries.rotation.order_after(self.index)
        pause = 0.0
        if len(self._failed) == len(order):
            self._failed.clear()
            self._rounds += 1
            pause = backoff(options, self._rounds)
        now = time.monotonic()
        earliest, self.index = min(
            ((max(now + pause, self._asked_pauses.get(index, 0)), index)
             for index in order if index not in self._failed), key=lambda choice: choice[0])
        return earliest - now

    def _final(self, error: QuantdError, why: str) -> QuantdError:
        # What a server found wrong with the call does not depend on the tries before.
        return error if not why and error.reason else self._with_tries(error, why)

    def _with_tries(self, error: QuantdError, why: str) -> QuantdError:
        """Returns the error with all tries in its message."""
        if self._count == 1 and not why:
            return error
        text = f"{error.message}; gave up after "
        if self._count == 1:
            text += "1 try"
        else:
            text += f"{self._count} tries within {_seconds(time.monotonic() - self._began)} s"
        if why:
            text += f": {why}"
        if len(self._last_errors) > 1:
            errors = ", ".join(f"{self._retries.addresses[index]}: {message}"
                               for index, message in sorted(self._last_errors.items()))
            text += f"; the last error of each address: {errors}"
        return _errors.with_message(error, text)


def _seconds(value: float) -> str:
    """Returns a time as text, without an exponent."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
