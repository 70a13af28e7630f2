"""Reads rendered overlays (OVERLAY.yaml in a folder) and says what breaks a rule; then that each rule's twins break it."""

import copy
import sys
from pathlib import Path

import api
import collector
import pods
from rendered import read
from twins import TWINS

RULES = {rule.__name__: rule for module in (api, pods, collector) for rule in module.RULES}


def main(folder):
    overlays = {path.stem: read(path.stem, path.read_text()) for path in sorted(Path(folder).glob("*.yaml"))}
    complaints = [f"{name}: {complaint} ({rule})" for name, rendered in overlays.items()
                  for rule, check in RULES.items() for complaint in check(rendered)]
    for rule, overlay, breaks in TWINS:
        twin = copy.deepcopy(overlays[overlay])
        breaks(twin)
        if not list(RULES[rule](twin)):
            complaints.append(f"{rule} lets a broken {overlay} pass: twins.py, line {breaks.__code__.co_firstlineno}")
    complaints += [f"{rule} has no twin" for rule in RULES if rule not in {rule for rule, *_ in TWINS}]
    print("\n".join(complaints) or f"manifests: {len(RULES)} rules hold in {', '.join(overlays)}; each of {len(TWINS)} twins breaks its own")
    return bool(complaints)


sys.exit(main(sys.argv[1]))
