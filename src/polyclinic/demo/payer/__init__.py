"""A simulated insurer: takes 837P files, answers TA1, 999 and 277CA, and pays by 835.

It keeps nothing: what it answers follows from the file and its rules alone. Rules are YAML
(`rules.yaml` beside this page); files come through a folder or over HTTP.
"""

from polyclinic.demo.payer.deciding import Payer, answers
from polyclinic.demo.payer.rules import Rules, read_rules
from polyclinic.demo.payer.serving import app, serve_folder

__all__ = ["Payer", "Rules", "answers", "app", "read_rules", "serve_folder"]
