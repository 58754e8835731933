"""The words of `polyclinic audit`."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

# ruff: noqa: PLC0415 - loaded when the word is given


def add_audit(words: Any, add_platform: Callable[[Any], None], run: Callable[[Any], int]) -> None:
    """Adds `audit` to the words of the command line."""
    audit = words.add_parser("audit", help="prove who saw what, and that nobody changed it")
    doing = audit.add_subparsers(required=True, metavar="WORD")
    verify = doing.add_parser("verify", help="prove every log against the tree and its anchors")
    add_platform(verify)
    verify.add_argument(
        "--anchors", type=Path, action="append", default=[], metavar="FILE",
        help="a file of signed checkpoints; again for more (default: the data folder's)",
    )  # fmt: skip
    verify.add_argument("--audit-key", metavar="KEY", help="the key you trust: name+hash+key")

    told = doing.add_parser("accounting", help="tell to whom a patient's record was disclosed")
    add_platform(told)
    told.add_argument("patient", metavar="PATIENT", help="Patient/id")
    told.add_argument("--from", dest="low", metavar="DAY", help="YYYY-MM-DD; six years at most")
    told.add_argument("--to", dest="high", metavar="DAY", help="YYYY-MM-DD; default: today")

    def account(given: argparse.Namespace) -> int:
        from polyclinic.cli.auditing import account as accounted
        from polyclinic.cli.operator import Operator

        operator = Operator.of(given.data, given.url, given.key_file)
        return run(accounted(operator, given.patient, given.low, given.high))

    told.set_defaults(command=account)

    def prove(given: argparse.Namespace) -> int:
        from polyclinic.cli.auditing import verify as verified
        from polyclinic.cli.datafolder import DataFolder
        from polyclinic.cli.operator import Operator

        anchors: list[Path] = given.anchors
        own = DataFolder(given.data.absolute()).anchor_file
        if not anchors and given.url is None and own.exists():
            anchors = [own]
        operator = Operator.of(given.data, given.url, given.key_file)
        return run(verified(operator, anchors, given.audit_key))

    verify.set_defaults(command=prove)
