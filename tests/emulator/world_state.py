#!/usr/bin/env python3
"""Print everything that ecr-fix could change in an emulator, as JSON that is the same for the same state.

    world_state.py --endpoint-url URL --region R --account A [--account B]
    world_state.py --serve  (answers lines, each a JSON list of these arguments, with JSON strings, until its input ends)

Policy documents are printed as the text that is stored, so that a rewritten document shows even where it means the
same. Ids that the emulator gives to security group rules are left out: a rule that comes back has a new one.
"""

import argparse
import functools
import json
import sys
import urllib.parse

from broken_cluster import PARTITIONS  # First: it takes the caller's own AWS configuration out of the environment.

import botocore.handlers
import boto3
from botocore.exceptions import ClientError

EC2_LISTS = {
    "VpcEndpoints": "describe_vpc_endpoints",
    "SecurityGroups": "describe_security_groups",
    "NetworkAcls": "describe_network_acls",
    "RouteTables": "describe_route_tables",
    "Vpcs": "describe_vpcs",
    "Subnets": "describe_subnets",
    "NetworkInterfaces": "describe_network_interfaces",
    "IamInstanceProfileAssociations": "describe_iam_instance_profile_associations",
}
VPC_ATTRIBUTES = {"enableDnsSupport": "EnableDnsSupport", "enableDnsHostnames": "EnableDnsHostnames"}


def main():
    if sys.argv[1:] == ["--serve"]:
        for line in sys.stdin:
            print(json.dumps(state(json.loads(line))), flush=True)
    else:
        print(state(sys.argv[1:]))


def state(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint-url", required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--account", action="append", required=True)
    options = parser.parse_args(arguments)
    accounts = {account: account_state(options, account) for account in options.account}
    return json.dumps(accounts, indent=1, sort_keys=True, default=str)


def account_state(options, account):
    client = clients(options.endpoint_url, options.region, account)
    return {"iam": iam_state(client("iam")), "ecr": ecr_state(client("ecr")), "ec2": ec2_state(client("ec2"))}


@functools.lru_cache(maxsize=64)
def clients(endpoint_url, region, account):
    """moto switches accounts by the access key that AssumeRole hands out; the role need not exist."""
    settings = dict(region_name=region, endpoint_url=endpoint_url)
    partition = next((to for start, to in PARTITIONS.items() if region.startswith(start)), "aws")
    issued = session().client("sts", aws_access_key_id="lab", aws_secret_access_key="lab", **settings).assume_role(
        RoleArn=f"arn:{partition}:iam::{account}:role/lab-reader", RoleSessionName="lab"
    )["Credentials"]
    settings |= dict(aws_access_key_id=issued["AccessKeyId"], aws_secret_access_key=issued["SecretAccessKey"],
                     aws_session_token=issued["SessionToken"])
    return functools.cache(lambda service: session().client(service, **settings))


@functools.cache
def session():
    """One for all accounts: it holds the descriptions of the services, which are large."""
    made = boto3.Session()
    made.events.unregister("after-call.iam", botocore.handlers.json_decode_policies)
    return made


def iam_state(iam):
    found = iam.get_account_authorization_details(Filter=["Role", "LocalManagedPolicy"])
    roles = {role["RoleName"]: role_state(iam, role) for role in found["RoleDetailList"]}
    return {"roles": roles, "policies": by("Arn", found["Policies"]),
            "instance_profiles": by("InstanceProfileName", iam.list_instance_profiles()["InstanceProfiles"])}


def role_state(iam, role):
    return {
        "trust": urllib.parse.unquote(role["AssumeRolePolicyDocument"]),
        "attached": sorted(policy["PolicyArn"] for policy in role["AttachedManagedPolicies"]),
        "inline": {policy["PolicyName"]: urllib.parse.unquote(policy["PolicyDocument"]) for policy in role["RolePolicyList"]},
        "boundary": role.get("PermissionsBoundary"),
        "tags": sorted_list(role.get("Tags", [])),
    }


def ecr_state(ecr):
    names = [repository["repositoryName"] for repository in ecr.describe_repositories()["repositories"]]
    return {
        "repository_policies": {
            name: or_none(lambda: ecr.get_repository_policy(repositoryName=name)["policyText"],
                          "RepositoryPolicyNotFoundException")
            for name in names
        },
        "registry_policy": or_none(lambda: ecr.get_registry_policy()["policyText"], "RegistryPolicyNotFoundException"),
    }


def ec2_state(ec2):
    state = {key: sorted_list(getattr(ec2, operation)()[key]) for key, operation in EC2_LISTS.items()}
    for vpc in state["Vpcs"]:
        for name, key in VPC_ATTRIBUTES.items():
            vpc[name] = ec2.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute=name)[key]["Value"]
    return state


def or_none(read, absent):
    try:
        return read()
    except ClientError as error:
        if error.response["Error"]["Code"] != absent:
            raise
        return None


def by(key, rows):
    return {row[key]: sorted_list(row) for row in rows}


def sorted_list(value):
    """The same value, with every list in the order of its JSON text: AWS promises none."""
    if isinstance(value, dict):
        return {key: sorted_list(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted((sorted_list(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True, default=str))
    return value


if __name__ == "__main__":
    main()
