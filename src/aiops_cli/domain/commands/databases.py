"""Clients of databases that are handed a statement."""

import re
from collections.abc import Mapping

from aiops_cli.domain.commands.call import Call, Doubt, Flags, doubt, options
from aiops_cli.domain.commands.sql import sql_problem

_MYSQL = Flags(
    letters="NBstvECG",
    valued="huPDSe",
    attached="p",
    names="--host= --user= --port= --database= --execute= --batch --table --vertical --skip-column-names --password"
    " --silent --raw --ssl-mode=",
)
SQL_CLIENTS: Mapping[str, Flags] = {
    "psql": Flags(
        letters="AtxqwWXE1z0",
        valued="hpUdPFRcv",
        names="--host= --port= --username= --dbname= --tuples-only --no-align --csv --expanded --no-psqlrc --quiet"
        " --pset= --command=",
    ),
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "clickhouse-client": Flags(
        valued="hudq", names="--host= --port= --user= --password= --database= --query= --format= --secure"
    ),
    "cqlsh": Flags(valued="eukp", names="--execute= --username= --keyspace= --ssl"),
}
_STATEMENTS = {
    "psql": ("-c", "--command"),
    "clickhouse-client": ("-q", "--query"),
}


def sql_client(call: Call) -> str:
    """A client of an SQL database with statements that read. Raises Doubt."""
    flags = _STATEMENTS.get(call.name, ("-e", "--execute"))
    given = [option.value for option in options(call, SQL_CLIENTS[call.name]) if option.name in flags]
    if not given:
        raise doubt(f"{call.name} without a statement")
    for statement in given:
        # A variable in a statement can hold any statement.
        if problem := sql_problem(statement.text) if statement.plain else "not known: SQL that the shell puts in":
            raise Doubt(problem)
    return call.name


_MONGO = Flags(
    letters="",
    valued="up",
    names="--eval= --host= --port= --username= --password= --authenticationDatabase= --quiet --tls",
)
_MONGO_READS = re.compile(
    r"\s*(?:printjson\()?(?:rs\.(?:status|conf|hello|print(?:Secondary|Slave)?ReplicationInfo)\(\)"
    r"|db\.(?:stats|serverStatus|currentOp|hello|version|isMaster|getReplicationInfo|printReplicationInfo)\(\)"
    r"|sh\.status\(\)|show (?:dbs|databases|collections))(?:\.[A-Za-z][\w.]{0,60})?\)?;?\s*"
)


def mongosh(call: Call) -> str:
    """mongosh with one expression that reads. Raises Doubt."""
    given = list(options(call, _MONGO))
    expressions = [option.value.text for option in given if option.name == "--eval"]
    files = [option for option in given if not option.name and not re.match(r"mongodb(?:\+srv)?://", option.value.text)]
    if files or len(expressions) != 1 or not _MONGO_READS.fullmatch(expressions[0]):
        raise doubt(f"{call.name} with such an expression")
    return call.name
