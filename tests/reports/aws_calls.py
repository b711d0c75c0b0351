"""Asks the AWS CLI whether it understands calls, and sends none: aws_calls.py FILE.

FILE holds the arguments of every call, each followed by a zero byte, and one more zero byte behind each call.
"""

import contextlib
import io
import os
import sys

from awscli.clidriver import create_clidriver


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        calls = [call.split("\0") for call in file.read().split("\0\0") if call]
    os.environ.update(AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)
    wrong = 0
    for call in calls:
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                # A fresh driver: one keeps the region and the output of the call before.
                code = create_clidriver().main([*call, "--generate-cli-skeleton", "output"])
            except SystemExit as end:
                code = end.code
        if code:
            wrong += 1
            print(call, said.getvalue())
    print(f"{len(calls)} calls, {wrong} not understood")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
