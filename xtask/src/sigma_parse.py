"""Reads every rule with pySigma, Sigma's reference implementation.

Usage: sigma_parse.py DIRECTORY
Prints one line for each fault and a last line with the number of rules; exit code 1 when
there is a fault, or no rule.
"""

import sys
from pathlib import Path

from sigma.collection import SigmaCollection
from sigma.exceptions import SigmaError


def faults(path):
    """Number of rules in a file, and what pySigma says against them."""
    found = []
    try:
        rules = SigmaCollection.from_yaml(path.read_text(encoding="utf-8")).rules
    except SigmaError as error:
        return 0, [error]
    for rule in rules:
        found.extend(rule.errors)
        for condition in rule.detection.parsed_condition:
            try:
                # Parsed when asked for; names that are not defined show here.
                condition.parsed
            except SigmaError as error:
                found.append(error)
    return len(rules), found


def main():
    total, wrong = 0, 0
    for path in sorted(Path(sys.argv[1]).glob("*.yml")):
        rules, found = faults(path)
        total += rules
        wrong += len(found)
        for error in found:
            print(f"{path.name}: {error}")
    print(f"{total} rules, {wrong} faults")
    sys.exit(1 if wrong or not total else 0)


main()
