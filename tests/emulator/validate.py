#!/usr/bin/env python3
"""Validates JSON documents by JSON Schemas: validate.py SCHEMA DOCUMENT [SCHEMA DOCUMENT]...

Says what does not fit, one line each, and ends with 1; with 0 where everything fits.
"""

import json
import sys

from jsonschema import Draft202012Validator


def main(paths):
    wrong = 0
    for schema_path, document_path in zip(paths[::2], paths[1::2], strict=True):
        with open(schema_path, encoding="utf-8") as file:
            schema = json.load(file)
        with open(document_path, encoding="utf-8") as file:
            document = json.load(file)
        Draft202012Validator.check_schema(schema)
        for error in Draft202012Validator(schema).iter_errors(document):
            wrong += 1
            print(f"{document_path}: {error.json_path}: {error.message[:200]}")
    sys.exit(1 if wrong else 0)


main(sys.argv[1:])
