"""Small languages that look through files: find, sed and awk."""

import re

from aiops_cli.domain.commands.call import Call, Flags, Word, doubt, options, texts, words_of
from aiops_cli.domain.commands.tools import READS_ALWAYS

_FIND_TESTS = words_of(
    "-name -iname -path -ipath -type -size -mtime -mmin -ctime -cmin -atime -amin -newer -maxdepth -mindepth -print"
    " -print0 -ls -empty -user -group -perm -xdev -mount -not -o -or -a -and -regex -prune -printf -follow -L -H -P"
    " -inum -links -readable -nouser -nogroup -regextype -uid -gid"
)


def find(call: Call) -> str:
    """find that lists, and runs nothing but what reads whatever it is given. Raises Doubt."""
    words = texts(call.words)
    inside = False  # the command behind -exec
    for at, text in enumerate(words):
        if inside:
            inside = text not in (";", "+")
        elif text == "-exec":
            inside = True
            if words[at + 1 : at + 2] == [] or words[at + 1] not in READS_ALWAYS:
                raise doubt("find -exec")
        elif text.startswith("-") and text not in _FIND_TESTS:
            raise doubt(f"find {text[:20]}", text.split("-"))
    return "find"


_ADDRESS = r"(?:\d+|\$|/(?:[^/\\\n\[]|\\.)*/I?)"
_STEP = re.compile(
    rf"\s*(?:{_ADDRESS}(?:,\s*\+?{_ADDRESS})?)?\s*!?\s*"
    r"(?:[pdqlD=]|s([/|#,:@_])(?:(?!\1)[^\\\n\[]|\\.)*\1(?:(?!\1)[^\\\n]|\\.)*\1[gpI0-9]*)\s*(?:;|$)"
)
_SED = Flags(letters="nErsuz", valued="e", names="--expression= --quiet --silent --regexp-extended --posix --sandbox")
_MAX_SCRIPT = 1_000


def sed(call: Call) -> str:
    """sed that prints, drops and replaces lines, but writes none. Raises Doubt."""
    given = list(options(call, _SED))
    scripts = [option.value for option in given if option.name in ("-e", "--expression")]
    scripts = scripts or [option.value for option in given if not option.name][:1]
    if not scripts or not all(_sed_reads(script) for script in scripts):
        raise doubt("sed with such a script")
    return "sed"


def _sed_reads(script: Word) -> bool:
    at = 0
    while at < len(script.text) <= _MAX_SCRIPT:
        match = _STEP.match(script.text, at)
        if match is None:
            return False
        at = match.end()
    return script.plain and 0 < len(script.text) <= _MAX_SCRIPT


def awk(call: Call) -> str:
    """awk with a program that starts nothing and writes nothing. Raises Doubt."""
    program = next((option.value for option in options(call, Flags(valued="Fv")) if not option.name), Word(""))
    if re.search(r"system|getline|@|\bclose\b|fflush|\|&", program.text) or "|" in program.text.replace("||", ""):
        raise doubt("awk with such a program")
    # Before the first action a sign is a comparison; within one it can write a file.
    if not program.plain or not program.text or ">" in program.text.partition("{")[2]:
        raise doubt("awk that may write a file")
    return "awk"
