"""Whether a shell command is known to change nothing.

Nothing here runs anything: commands of runbooks are shown, and this says which of them a person may try without harm. A
command is called reading only where all of it is known to read: what is not in the tables is "not known", and so is
whatever a shell might take otherwise than it looks.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from aiops_cli.domain.commands.call import Call, Doubt, Flags, Word, doubt, options, texts, words_of
from aiops_cli.domain.commands.lexer import PLACEHOLDER, Lexer, Token, Unclosed, goes_on
from aiops_cli.domain.commands.rules import read_by
from aiops_cli.domain.commands.tools import READS_ALWAYS

# Backticks run a command, and a shell may put in an earlier command for an exclamation mark.
_ODD_SIGN = re.compile(r"`|![^\s=]")


def judge_command(text: str) -> tuple[bool, str]:
    """Whether a shell command is known to change nothing, and why: the names of what it runs, or the first problem.

    Never raises. A false yes would be worse than a hundred false noes: anything that is not in the tables is a no.
    """
    lexer = Lexer(text)
    try:
        scripts = [lexer.script(), *lexer.inner]
    except Unclosed as error:
        return False, f"not known: {error}"
    if _ODD_SIGN.search(text):
        lexer.flag("not known: a sign that may bring in another command")
    told: dict[str, None] = {}
    for script in scripts:
        for call in _calls(script, lexer):
            try:
                told[_read_by(call)] = None
            except Doubt as problem:
                lexer.flag(str(problem))
    if not told:
        lexer.flag("not known: no command")
    return (False, lexer.problem) if lexer.problem else (True, ", ".join(list(told)[:4]))


def _calls(tokens: Sequence[Token], lexer: Lexer) -> Iterator[Call]:
    """The simple commands of a script."""
    call = Call([])
    if goes_on(tokens):
        lexer.flag("not known: it goes on")
    for token in (*tokens, "\n"):
        if isinstance(token, Word):
            call.words.append(token)
        elif token == "<":
            call.fed = True
        elif call.words:
            yield call
            says_nothing = texts(call.words) in (["echo"], ["echo", "Q"])
            call = Call([], fed=token in ("|", "|&") and not says_nothing)
        elif token != "\n":
            lexer.flag("not known: an operator without a command before it")


# What may stand before a command: its own flags, and how many words of its own.
_PREFIXES: Mapping[str, tuple[Flags, int]] = {
    "sudo": (Flags(letters="nEH", valued="ug"), 0),
    "time": (Flags(letters="p"), 0),
    "timeout": (Flags(valued="sk"), 1),
    "env": (Flags(), 0),
    "command": (Flags(letters="p"), 0),
    "nice": (Flags(valued="n"), 0),
    "ionice": (Flags(letters="t", valued="cn"), 0),
}
_WATCH = Flags(letters="dtcegb", valued="n", names="--interval= --differences --no-title")
_XARGS = Flags(letters="0rt", valued="nPILdsE", names="--no-run-if-empty --null --max-args=")
_MAX_PREFIXES = 4
_FOLDER = re.compile(
    r"^(?:(?:/usr(?:/local)?)?/s?bin/(?=[^/]+$)|(?:(?:\./)?|/opt/(?:bitnami/)?kafka/)bin/(?=kafka-[^/]+$))"
)


def _read_by(call: Call, depth: int = 0) -> str:
    words = _behind_assignments(call.words)
    if not words:
        return "sets a variable"
    if depth > _MAX_PREFIXES:
        raise doubt("a command behind too many others")
    call = Call([Word(_FOLDER.sub("", words[0].text)), *words[1:]], call.fed)
    if call.name == "watch":
        return _watched(call)
    if call.name == "xargs":
        return _fed_with_words(call, depth)
    if call.name in _PREFIXES and len(words) > 1:
        return _read_by(_inside(call, *_PREFIXES[call.name]), depth + 1)
    return read_by(call)


def _inside(call: Call, flags: Flags, own_words: int = 0) -> Call:
    """The command that a call runs. Raises Doubt where a flag before it is not known."""
    values: list[str] = []
    for option in options(call, flags):
        if option.name:
            values.append(option.value.text)
        elif own_words:
            own_words -= 1
        elif any(value and value in option.value.text for value in values):
            break  # the mark of xargs -I is replaced everywhere: in the name too
        else:
            return Call(call.words[option.end - 1 :], call.fed)
    raise doubt(f"{call.name} with nothing behind it")


def _watched(call: Call) -> str:
    """`watch` hands its words to a shell as one text."""
    inside = " ".join(texts(_inside(call, _WATCH).words))
    if "watch" in inside or "$(" in inside:
        raise doubt("watch of more than a command")
    reads, why = judge_command(inside)
    if not reads:
        raise Doubt(why)
    return f"watch {why}"


def _fed_with_words(call: Call, depth: int) -> str:
    """`xargs` adds words that nobody sees here: only before what reads whatever its words are."""
    inside = _inside(call, _XARGS)
    told = _read_by(inside, depth + 1)
    if told not in READS_ALWAYS or not inside.words[0].text.endswith(told):
        raise doubt(f"xargs {told}")
    return told


_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=(.*)", re.S | re.ASCII)
# Variables that a command may be started with: where to connect and as whom, never what to run.
_HARMLESS_ENVIRONMENT = words_of(
    "KUBECONFIG AWS_PROFILE AWS_REGION AWS_DEFAULT_REGION AWS_DEFAULT_OUTPUT PGHOST PGPORT PGUSER PGPASSWORD"
    " PGDATABASE PGSSLMODE REDISCLI_AUTH ETCDCTL_API ETCDCTL_ENDPOINTS ETCDCTL_CACERT ETCDCTL_CERT ETCDCTL_KEY LC_ALL"
    " LANG TZ COLUMNS NO_COLOR MYSQL_PWD VAULT_ADDR CONSUL_HTTP_ADDR NOMAD_ADDR DOCKER_HOST NAMESPACE NS"
)
_HARMFUL_NAMES = re.compile(
    r"PATH$|^LD_|^DYLD_|PAGER|EDITOR|VISUAL|^LESS|^BASH|^ENV$|^IFS$|^PS\d$|PROMPT|^GIT_|OPTS$|OPTIONS$|^PYTHON|^PERL|^RUBY"
    r"|^NODE_OPT|^HOME$|^SHELL|^ZSH|^ZDOTDIR|CMD$|COMMAND|CONFIG|^KUBE|_FILE$|_HOME$|HOOK|ASKPASS|^TMP|^SSH|^RSH$|PROXY$"
    r"|^FCEDIT|^HIST|^OPENSSL|^CURL|^WGET|^JQ|^GREP|^TAR|^DOCKER|^AWS|^PG",
    re.I,
)


def _behind_assignments(words: list[Word]) -> list[Word]:
    """What stands behind `NAME=value`, in front of a command or alone. Raises Doubt."""
    exported = words[0].text == "export"
    given = []
    for word in words[exported:]:
        if not (match := _ASSIGNMENT.match(word.text)):
            break
        given.append(match)
    rest = words[exported + len(given) :]
    for name, value in (match.groups() for match in given):
        odd = value.startswith("-") or re.search(r"\s", value) or not value.isascii()
        if odd and not PLACEHOLDER.fullmatch(value):
            raise doubt("a variable with more than a word in it")
        if name not in _HARMLESS_ENVIRONMENT and (rest or _HARMFUL_NAMES.search(name)):
            raise doubt(f"{name[:40]} of the shell", ["set"])
    return rest if given else words
