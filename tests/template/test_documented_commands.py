"""No command of the documents is left out: each is run by a test, or listed with the reason why it is not."""

import re
import shlex
import shutil
import subprocess

from local.cli.commands import _parser
from tests.harness.documents import BLOCKS, CALLED, FENCED, NOT_RUN, PROGRAMS, ROOT, SHELL, Block, pages

SHELL_BLOCKS = [block for block in BLOCKS if block.language in SHELL]
COMMANDS = ("orders", ".venv/bin/", "make", "curl", "sam", "aws", "pip", "npm", "npx", "node", "python", "uvx")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
_, SUBCOMMANDS = _parser()


def test_each_reason_not_to_run_a_block_is_about_one_block() -> None:
    about = {
        (page, beginning): [block for block in SHELL_BLOCKS if block.page == page and block.text.startswith(beginning)]
        for page, beginning in NOT_RUN
    }
    assert {key: len(found) for key, found in about.items() if len(found) != 1} == {}
    assert [block for block in SHELL_BLOCKS if len(block.reasons) > 1] == []


def test_the_tests_that_a_reason_names_are_there() -> None:
    named = {name for why in (*NOT_RUN.values(), *CALLED.values()) for name in re.findall(r"tests/[\w/]+\.py", why)}
    assert named
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_each_program_is_run_by_a_command_of_its_page_or_called_by_a_test() -> None:
    programs = {(block.page, block.name or "a block without a name"): block for block in BLOCKS if block.language in PROGRAMS}
    run = {key for key in programs if any(runs(block, key) for block in SHELL_BLOCKS)}
    imported = {key for key in programs if any(f"from {key[1].removesuffix('.py')} import" in one.text for one in BLOCKS)}
    assert programs.keys() - run - imported == CALLED.keys()


def runs(block: Block, program: tuple[str, str]) -> bool:
    page, name = program
    return block.page == page and not block.reasons and name.rpartition(".")[0] in re.split(r"[\s.]", block.text)


def test_commands_stand_in_blocks_that_say_so() -> None:
    unmarked = [block for block in BLOCKS if block.language == "" and block.text.split()[:1] != [] and is_command(block.text)]
    indented = [
        line
        for text in pages().values()
        for line in re.findall(r"^ {4}(\S.*)$", FENCED.sub("", text), re.MULTILINE)
        if is_command(line)
    ]
    assert (unmarked, indented) == ([], [])


def is_command(line: str) -> bool:
    first = line.split(maxsplit=1)[0]
    return first in COMMANDS or first.startswith(".venv/bin/")


def test_a_block_that_is_not_run_is_well_formed() -> None:
    bash = shutil.which("bash")
    assert bash
    for block in SHELL_BLOCKS:
        if block.reasons:
            checked = subprocess.run([bash, "-n"], input=block.text, capture_output=True, text=True, check=False)
            assert (checked.returncode, checked.stderr) == (0, ""), block


def mentioned(command: str) -> list[list[str]]:
    """What the pages say of a command, in blocks and in the middle of a sentence: the words after it."""
    inline = re.findall(rf"`(?:\.venv/bin/)?{command} ([^`]+)`", "\n".join(pages().values()))
    blocks = "\n".join(block.text for block in SHELL_BLOCKS)
    fenced = re.findall(rf"^(?:\.venv/bin/)?{command} ([^#\n]*)", blocks, re.MULTILINE)
    return [shlex.split(re.sub(r"[\[\]]", "", one)) for one in (*inline, *fenced)]


def test_the_orders_commands_and_their_options_are_there() -> None:
    unknown = [words for words in mentioned("orders") if words[0] not in SUBCOMMANDS.choices and not words[0].startswith("--")]
    options = {name: set(command._option_string_actions) for name, command in SUBCOMMANDS.choices.items()}
    given = [(words[0], word.partition("=")[0]) for words in mentioned("orders") for word in words[1:] if word.startswith("--")]
    assert given
    assert (unknown, [(name, option) for name, option in given if option not in options[name]]) == ([], [])


def test_the_make_commands_and_their_variables_are_there() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", MAKEFILE, re.MULTILINE))
    words = {word for words in mentioned("make") for word in words}
    variables = {word.partition("=")[0] for word in words if "=" in word}
    assert {word for word in words if "=" not in word} <= targets
    assert [name for name in variables if f"$({name})" not in MAKEFILE] == []
