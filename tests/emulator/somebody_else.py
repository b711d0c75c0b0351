#!/usr/bin/env python3
"""Run Python code as the operator of a scenario: somebody else, who changes things while ecr-fix is at work.

    somebody_else.py SCENARIO_JSON CODE

The code finds `world`, the document that broken_cluster.py printed, `client("iam")` and the like, and `ClientError`.
"""

import json
import sys

import broken_cluster  # noqa: F401  First: it takes the caller's own AWS configuration out of the environment.

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


def main():
    world = json.loads(sys.argv[1])
    env = world["env"]
    settings = dict(
        endpoint_url=env["AWS_ENDPOINT_URL"], region_name=env["AWS_REGION"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"], aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}, read_timeout=60),
    )
    names = {"world": world, "client": lambda service: boto3.client(service, **settings), "ClientError": ClientError,
             "json": json}
    exec(sys.argv[2], names)


if __name__ == "__main__":
    main()
