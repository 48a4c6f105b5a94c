"""--help, the man pages and the README say the same."""
import os
import re
import unittest

import mounting
from mounting import BIN, must

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def options_in_help(*command):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", must(*command, "--help")))


def options_in_man(page):
    with open(os.path.join(TOP, "man", page)) as file:
        text = file.read().replace("\\-", "-")
    # Example lines and sentences may name another program's options.
    return set(re.findall(r"^\.(?:BR|BI|B)\b[^\n]*", text, re.M)), text


class Documents(unittest.TestCase):
    def check_page(self, page, *commands):
        entries, _ = options_in_man(page)
        documented = {option for entry in entries for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", entry)}
        offered = set().union(*(options_in_help(*command) for command in commands))
        self.assertEqual(offered - documented, set(), f"{page} lacks options of the program")
        self.assertEqual(documented - offered - {"--punch-hole"}, set(), f"{page} has options that the program lacks")

    def test_vimgmount(self):
        self.check_page("vimgmount.1", (f"{BIN}/vimgmount",))

    def test_vimgumount(self):
        self.check_page("vimgumount.1", (f"{BIN}/vimgumount",))

    def test_vimg(self):
        verbs = re.findall(r"^  ([a-z]+) ", must(f"{BIN}/vimg", "--help").partition("Subcommands:")[2], re.M)
        self.assertGreater(len(verbs), 1)
        self.check_page("vimg.1", (f"{BIN}/vimg",), *((f"{BIN}/vimg", verb) for verb in verbs))

    def test_pages_are_well_formed(self):
        for page in sorted(os.listdir(os.path.join(TOP, "man"))):
            must("mandoc", "-Tlint", "-Wwarning", os.path.join(TOP, "man", page))

    def test_options_in_the_readme_exist(self):
        with open(os.path.join(TOP, "README.md")) as file:
            lines = [line for line in file if re.match(r"\s*(\$ )?(sudo )?vimg(mount|umount)? ", line)]
        self.assertGreater(len(lines), 5)
        for line in lines:
            program = re.match(r"\s*(?:\$ )?(?:sudo )?(\w+)( [a-z]+)?", line)
            command = [f"{BIN}/{program[1]}"] + ([program[2].strip()] if program[1] == "vimg" and program[2] else [])
            used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", line.split("&&")[0].split(";")[0].split("#")[0]))
            self.assertEqual(used - options_in_help(*command), set(), line)


mounting.main()
