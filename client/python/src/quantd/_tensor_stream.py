"""A tensor that is sent in parts, over one stream or, when streams break, over several."""

import itertools
from collections.abc import Iterator

from quantd import _errors
from quantd._tensor_call import TensorCall


class TensorStream:
    """Knows which parts of a call have no answer yet. Answers come in the order of the parts.

    Parts that were answered are never sent again: their elements are in the output, and their gradients in
    the sums.
    """

    def __init__(self, call: TensorCall, message_bytes: int) -> None:
        """The parts have about `message_bytes` of tensors each."""
        self._call = call
        self._message_bytes = message_bytes
        self._answered = 0
        self._parts_to_receive = call.parts(message_bytes)
        self._next = next(self._parts_to_receive, None)

    @property
    def is_answered(self) -> bool:
        """Whether every part has its answer."""
        return self._next is None

    def requests(self) -> Iterator[bytes]:
        """Returns the requests of a new stream: those for the parts without an answer. There must be some.

        Another thread may take answers while one iterates.
        """
        parts = self._call.parts(self._message_bytes)
        return self._call.requests_of(itertools.islice(parts, self._answered, None))

    def take_response(self, response: bytes) -> None:
        """Takes the next answer. Errors: QuantdError (INTERNAL) if it does not fit the next part."""
        if self._next is None:
            raise _errors.unexpected_answer("the server sent more answers than it had requests")
        self._call.take_part(self._next, response)
        self._answered += 1
        self._next = next(self._parts_to_receive, None)

    def check_complete(self) -> None:
        """Raises an error if the server ended the stream without having answered everything."""
        if not self.is_answered:
            raise _errors.unexpected_answer("the server ended the stream before it had answered all parts")
        # A tensor whose parameters do not fit cannot be cut, and the server should have rejected it.
        if not self._call.is_complete:
            raise _errors.unexpected_answer("the server accepted parameters that do not fit the tensor")
