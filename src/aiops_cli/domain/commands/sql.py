"""SQL: where a statement ends, and whether it is known to read."""

import re
from collections.abc import Iterator, Sequence

from aiops_cli.domain.commands.call import words_of

_TOKEN = re.compile(
    r"(?P<comment>--(?=\s|$)[^\n]*|/\*(?![!+M])(?:(?!/\*|\*/).)*\*/)"
    r"|(?P<string>'[^']*')|(?P<quoted>\"[^\"]*\"|`[\w .-]*`)"
    r"|(?P<name>[^\W\d][\w$]*)|(?P<number>\d[\w.]*)|(?P<end>;|\\[Gg])|(?P<sign>[^\s\w])",
    re.S,
)
_BEGINS = frozenset(["select", "show", "explain", "describe", "desc", "with", "values"])
_CHANGES = words_of(
    "insert update delete merge into drop alter create truncate grant revoke call execute exec lock outfile dumpfile"
    " copy share next reindex vacuum refresh"
)
_CHANGES_FIRST = _CHANGES | words_of("set do cluster load rename replace kill flush reset purge import optimize attach")
# What may stand before a bracket: functions that read, and words of the language.
_BEFORE_BRACKETS = words_of(
    "count sum avg min max coalesce now round floor ceil ceiling abs nullif greatest least cast convert extract date"
    " date_trunc age to_char to_timestamp lower upper length char_length substring substr left right concat concat_ws"
    " trim split_part string_agg array_agg group_concat json_agg row_number rank dense_rank lag lead over filter in"
    " exists any all some and or not on as by where when then else case having from join using values interval if"
    " ifnull timestampdiff unix_timestamp from_unixtime date_sub date_add datediff date_format sysdate getdate curdate"
    " current_timestamp version database schema distinct between like limit offset select union except intersect"
    " lateral numeric decimal varchar char bigint percentile_cont percentile_disc within unnest generate_series"
    " current_setting quantile countif uniq pg_size_pretty pg_database_size pg_total_relation_size pg_relation_size"
    " pg_table_size pg_indexes_size pg_is_in_recovery pg_is_wal_replay_paused pg_last_xact_replay_timestamp"
    " pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_current_wal_lsn pg_wal_lsn_diff pg_blocking_pids"
    " pg_postmaster_start_time pg_backend_pid formatreadablesize formatreadabletimedelta mod power sqrt index key"
    " explain analyze"
)
_PSQL_READS = re.compile(r"\\(?:d[a-zA-Z]{0,3}[+S]{0,2}(?:[ \t]+[\w.\"*]+)?|l\+?|conninfo|x|timing)[ \t]*;?")


def statements(code: str) -> Iterator[str]:
    """SQL cut at its semicolons; a command of psql's own ends with its line."""
    start = 0
    for token in _TOKEN.finditer(code):
        end = start
        if token[0] == "\\" and not code[start : token.start()].strip():
            end = code.find("\n", token.start())
            end = len(code) if end < 0 else end
        elif token.lastgroup == "end" and token.start() >= start:
            end = token.end()
        if end > start:
            yield code[start:end]
            start = end
    yield code[start:]


def sql_problem(text: str) -> str:
    """Why SQL is not known to read; empty when every statement of it is a select, show, explain or describe that calls
    known functions only.
    """
    if _PSQL_READS.fullmatch(text.strip()):
        return ""
    parts: list[list[re.Match[str]]] = [[]]
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "end":
            parts.append([])
        elif token.lastgroup != "comment":
            parts[-1].append(token)
    problems = [_problem(part) for part in parts if part]
    return next(filter(None, problems), "") if problems else "not known: no statement"


def _problem(tokens: Sequence[re.Match[str]]) -> str:
    names = [token[0].lower() for token in tokens if token.lastgroup == "name"]
    first = tokens[0][0].lower()
    changing = first if first in _CHANGES_FIRST else next((name for name in names if name in _CHANGES), "")
    if changing:
        return f"changes: SQL {changing}"
    if first not in _BEGINS:
        return f"not known: SQL {first[:20]}"
    for at, token in enumerate(tokens):
        following = tokens[at + 1][0] if at + 1 < len(tokens) else ""
        # A backslash ends a string for one database and not for another; $$ quotes, := assigns.
        if "\\" in token[0] or token[0] in ("$", "'", '"', "`", "@", "#") or token[0] + following == ":=":
            return "not known: SQL with a sign that not every database reads alike"
        if token[0] + following in ("/*", "--"):
            return "not known: SQL with a remark that is run"
        called = following == "(" and token.lastgroup in ("name", "quoted") and token[0].lower() not in _BEFORE_BRACKETS
        if called and not (at == 1 and first == "with"):  # `with name (a, b) as` names columns
            return f"not known: SQL calls {token[0][:40]}"
    return ""
