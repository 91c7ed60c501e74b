"""JSON log lines with the ids of the request and the connection, and without data of persons.

A log is read by more people than the tables are, and lives longer than a connection. So it has no message
text, no name and no address: hashes stand for persons (`nwchat.model.log_hash`), and errors are logged
without their texts, which may repeat the values of an item or of a request.
"""

from __future__ import annotations

import json
import logging
import re
import time
from traceback import walk_tb
from typing import TYPE_CHECKING

from nwchat.aws.errors import error_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, MutableMapping
    from typing import Any

NAME = "nwchat"
"""The name of the functions' logger. All other loggers belong to libraries."""

_MAX_FRAMES = 40
_MAX_CAUSES = 5
_CODE = re.compile(r"[\w.:-]{1,100}")


class LoggableError(Exception):
    """An error whose text has no data of persons and no secrets, so that it may be logged."""


class Log(logging.LoggerAdapter[logging.Logger]):
    """A logger that adds `request_id` and `connection_id` to every record; `extra` adds more fields."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        return msg, {**kwargs, "extra": {**(self.extra or {}), **(kwargs.get("extra") or {})}}


_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON, with the keys of Lambda's own JSON log format."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        return json.dumps(fields, default=str, separators=(",", ":"))


class Redaction(logging.Filter):
    """Replaces an error by the fields of `error_fields`, and what a library says by the place in its code."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if error is not None:
            vars(record).update(error_fields(error))
        record.exc_info = record.exc_text = record.stack_info = None
        if record.name != NAME:
            record.msg, record.args = "a library logged this", ()
            record.place = f"{record.filename}:{record.lineno}"
        return True


def redact(handlers: Iterable[logging.Handler]) -> None:
    """Makes the handlers, or without one the last resort of `logging`, log no data of persons.

    Libraries log warnings and errors only: with DEBUG, botocore would log whole requests and credentials, as
    Lambda gives its log level to the root logger.
    """
    # An error of logging itself would be printed with the record's arguments.
    logging.raiseExceptions = False
    logging.getLogger().setLevel(logging.WARNING)
    for handler in (*handlers, logging.lastResort):
        if handler is not None:
            handler.addFilter(Redaction())


def error_fields(error: BaseException) -> dict[str, object]:
    """What a log may have of an error: type, AWS's code and operation, the types of its causes, and where it
    was raised (`file:line function`, outermost first). The text only of a LoggableError."""
    fields: dict[str, object] = {"errorType": type(error).__name__}
    if isinstance(error, LoggableError):
        fields["errorMessage"] = str(error)
    if code := _aws_code(error):
        fields |= {"errorCode": code, "operation": getattr(error, "operation_name", "")}
    if causes := [type(each).__name__ for each in _causes(error)]:
        fields["causes"] = causes
    places = [
        f"{frame.f_code.co_filename.rpartition('/')[2]}:{line} {frame.f_code.co_name}"
        for frame, line in walk_tb(error.__traceback__)
    ]
    return {**fields, "stackTrace": places[-_MAX_FRAMES:]}


def error_name(error: BaseException) -> str:
    """The text of a LoggableError; of any other error its type and AWS's code: "ClientError Throttling"."""
    if isinstance(error, LoggableError):
        return str(error)
    kind, code = type(error).__name__, _aws_code(error)
    # boto3 has classes of their own for most codes.
    return kind if code in ("", kind) else f"{kind} {code}"


def _aws_code(error: BaseException) -> str:
    """The code of an error of AWS; "" for any other error."""
    code = error_code(error)
    return code if _CODE.fullmatch(code) else ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    for _ in range(_MAX_CAUSES):
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is None:
            return
        yield cause
        error = cause
