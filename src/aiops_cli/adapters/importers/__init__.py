"""Incident records that people have elsewhere: postmortems in Markdown, and exports of trackers, by their content.

`read_records` takes a text and gives records and problems; it never asks what the format is, and raises for nothing
that a file may hold.
"""

from aiops_cli.adapters.importers.fields import Problem
from aiops_cli.adapters.importers.recognise import FORMATS, MAX_BYTES, read_file, read_records

__all__ = ["FORMATS", "MAX_BYTES", "Problem", "read_file", "read_records"]
