"""bom_check BOM TREE: BOM is valid CycloneDX and names every crate of TREE, with its licence."""

import json
import re
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

path, tree = sys.argv[1:]
text = open(path, encoding="utf-8").read()
bom = json.loads(text)
version = SchemaVersion.from_version(bom["specVersion"])
error = JsonStrictValidator(version).validate_str(text)
if error:
    sys.exit(f"{path}: {error}")

named = {(it["name"], it["version"]): it for it in bom["components"]}
wanted = set()
for line in open(tree, encoding="utf-8"):
    name, version, *_ = line.split()
    wanted.add((name, version.removeprefix("v")))
# The program itself is the document's subject.
wanted.discard(("sensor", bom["metadata"]["component"]["version"]))
missing = sorted(wanted - named.keys())
if missing or len(wanted) < 50:
    sys.exit(f"{path}: of {len(wanted)} crates these are missing: {missing}")
unlicensed = sorted(key for key in wanted if not named[key].get("licenses"))
if unlicensed:
    sys.exit(f"{path}: no licence of {unlicensed}")
named_places = set(re.findall(r"file://(/[^#\"?]*)", text))
if any(place.count("/") > 1 for place in named_places):
    sys.exit(f"{path}: it names a directory of the machine that built it: {named_places}")
print(f"{len(wanted)} crates, each with its licence")
