"""Writes what the collector of a rendered overlay reads into a folder: its configurations, `arguments`, `environment`."""

import sys
from pathlib import Path

from collector import Collector
from rendered import environment, read

source, folder = Path(sys.argv[1]), Path(sys.argv[2])
collector = Collector(read(source.stem, source.read_text()))
for argument, text in zip(collector.container["args"], collector.texts, strict=True):
    (folder / Path(argument).name).write_text(text)
(folder / "arguments").write_text("\n".join(f"--config={Path(argument).name}" for argument in collector.container["args"]))
(folder / "environment").write_text("\n".join(f"{name}={value.replace(' ', '')}" for name, value in environment(collector.container).items()))
