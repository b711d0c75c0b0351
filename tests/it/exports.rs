//! Exports of every kind of change, judged by the tools of each language.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use ecr_fix::actions::{Kind, Risk};
use ecr_fix::plan::{Action, Inverse, Owner, Plan, Precondition, Tool};
use ecr_fix::render::export::{Language, export};
use serde_json::{Value, json};

use crate::support::{Program, test_python};

/// A plan with every kind of change that a plan can have, in the shapes of their resources.
pub(crate) fn every_kind() -> Plan {
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/demo/plan.json");
    let mut plan = Plan::read(&fs::read_to_string(story).unwrap(), "plan.json").unwrap();
    plan.actions = changes()
        .into_iter()
        .zip(1..)
        .map(|((kind, at, before, after), number)| action(number, kind, at, before, after))
        .collect();
    plan
}

type Parts = (Kind, Value, Value, Value);

fn changes() -> Vec<Parts> {
    let vpc = json!({
        "partition": "aws", "region": "eu-west-1", "account": "111122223333", "cluster": "demo", "vpc_id": "vpc-0123456789abcdef0"
    });
    let in_vpc = |more: Value| {
        let mut at = vpc.clone();
        at.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        at
    };
    let ec2 = |resource: &str| format!("arn:aws:ec2:eu-west-1:111122223333:{resource}");
    let role =
        json!({"role_arn": "arn:aws:iam::111122223333:role/team/node", "role_name": "node", "role_id": null});
    let of_role = |field: &str, value: &str| {
        let mut at = role.clone();
        at[field] = json!(value);
        at
    };
    let policy = |principal: Option<Value>| {
        let mut statement = json!({"Sid": "EcrFixPull", "Effect": "Allow", "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]});
        match principal {
            Some(principal) => statement["Principal"] = principal,
            None => statement["Resource"] = json!("*"),
        }
        json!({"document": json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()})
    };
    let someone = || Some(json!({"AWS": "arn:aws:iam::111122223333:role/team/node"}));
    let repository = |account: &str| json!({"repository_arn": format!("arn:aws:ecr:us-east-1:{account}:repository/team/app")});
    let endpoint = |subnets: &[&str], groups: &[&str], tables: &[&str], dns: bool| json!({"private_dns_enabled": dns, "subnet_ids": subnets, "security_groups": groups, "route_table_ids": tables, "policy": null});
    let of_service = |service: &str, kind: &str, id: Option<&str>| {
        in_vpc(
            json!({"service_name": format!("com.amazonaws.eu-west-1.{service}"), "endpoint_type": kind, "endpoint_id": id}),
        )
    };
    let rule = |direction: &str, peer: Value| {
        json!({
            "vpc": vpc, "group_id": "sg-0123456789abcdef0", "direction": direction, "protocol": "tcp",
            "from_port": 443, "to_port": 443, "peer": peer
        })
    };
    let described = |direction: &str| json!({"direction": direction, "description": "ecr-fix: image pulls from Amazon ECR"});
    let acl = |egress: bool| json!({"vpc": vpc, "acl_id": "acl-0123456789abcdef0", "rule_number": 90, "egress": egress});
    let entry = |action: &str, block: &str| json!({"action": action, "protocol": "6", "block": block, "ports": [1024, 65535]});
    let route = |destination: &str| json!({"vpc": vpc, "table_id": "rtb-0123456789abcdef0", "destination": destination});
    let to = |target: &str| json!({"target": target});
    let off_on = |attribute: &str| {
        (in_vpc(json!({"attribute": attribute})), json!({"value": false}), json!({"value": true}))
    };
    let (dns_support, off, on) = off_on("enableDnsSupport");
    let own_group = "ecr-fix-endpoints-demo";
    let none = || Value::Null;
    vec![
        (
            Kind::AttachRolePolicy,
            of_role("policy_arn", "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"),
            none(),
            json!({"policy_name": "AmazonEC2ContainerRegistryPullOnly"}),
        ),
        (Kind::PutRolePolicy, of_role("policy_name", "EcrFixPull"), none(), policy(None)),
        (
            Kind::UpdateTrustPolicy,
            role.clone(),
            policy(someone()),
            policy(Some(json!({"Service": "eks-fargate-pods.amazonaws.com"}))),
        ),
        (Kind::SetRepositoryPolicy, repository("444455556666"), none(), policy(someone())),
        (Kind::SetRepositoryPolicy, repository("111122223333"), policy(Some(json!("*"))), policy(someone())),
        (
            Kind::CreateSecurityGroup,
            in_vpc(json!({"group_name": own_group, "group_id": null})),
            none(),
            json!({
                "ingress": [{"protocol": "tcp", "from_port": 443, "to_port": 443, "peer": "sg-0123456789abcdef0"},
                            {"protocol": "tcp", "from_port": 443, "to_port": 443, "peer": "10.0.0.0/16"}], "egress": []
            }),
        ),
        (
            Kind::CreateVpcEndpoint,
            of_service("ecr.dkr", "Interface", None),
            none(),
            endpoint(&["subnet-0123456789abcdef0"], &[own_group, "sg-0123456789abcdef0"], &[], true),
        ),
        (
            Kind::CreateVpcEndpoint,
            of_service("s3", "Gateway", None),
            none(),
            endpoint(&[], &[], &["rtb-0123456789abcdef0"], false),
        ),
        (
            Kind::ModifyVpcEndpoint,
            of_service("ecr.api", "Interface", Some("vpce-0123456789abcdef0")),
            endpoint(&["subnet-0123456789abcdef0"], &["sg-0123456789abcdef0"], &[], false),
            endpoint(
                &["subnet-0123456789abcdef0", "subnet-1123456789abcdef0"],
                &["sg-0123456789abcdef0", own_group],
                &[],
                true,
            ),
        ),
        (
            Kind::ModifyVpcEndpoint,
            of_service("s3", "Gateway", Some("vpce-1123456789abcdef0")),
            endpoint(&[], &[], &[], false),
            endpoint(&[], &[], &["rtb-0123456789abcdef0"], false),
        ),
        (
            Kind::AuthorizeSecurityGroupIngress,
            rule("ingress", json!({"security-group": "sg-1123456789abcdef0"})),
            none(),
            described("ingress"),
        ),
        (
            Kind::AuthorizeSecurityGroupEgress,
            rule("egress", json!({"prefix-list": "pl-0123456789abcdef0"})),
            none(),
            described("egress"),
        ),
        (
            Kind::AuthorizeSecurityGroupEgress,
            rule("egress", json!({"block": "fd00::/64"})),
            none(),
            described("egress"),
        ),
        (Kind::CreateNetworkAclEntry, acl(true), none(), entry("allow", "10.0.0.0/16")),
        (
            Kind::ReplaceNetworkAclEntry,
            acl(false),
            entry("deny", "10.0.0.0/16"),
            entry("allow", "10.0.0.0/16"),
        ),
        (Kind::CreateRoute, route("0.0.0.0/0"), none(), to("nat-0123456789abcdef0")),
        (Kind::ReplaceRoute, route("::/0"), to("eigw-0123456789abcdef0"), to("eigw-1123456789abcdef0")),
        (Kind::ModifyVpcAttribute, dns_support, off, on),
        (
            Kind::AssociateInstanceProfile,
            json!({
                "instance_arn": ec2("instance/i-0123456789abcdef0"), "profile_arn": "arn:aws:iam::111122223333:instance-profile/nodes",
                "role_arn": "arn:aws:iam::111122223333:role/team/node"
            }),
            none(),
            json!({"profile_name": "nodes"}),
        ),
    ]
}

fn action(number: usize, kind: Kind, at: Value, before: Value, after: Value) -> Action {
    let account = if at.to_string().contains("444455556666") { "444455556666" } else { "111122223333" };
    Action {
        id: format!("a{number}"),
        kind,
        summary: format!("make the change {number}"),
        resource: "arn:aws:iam::111122223333:role/team/node".to_owned(),
        account: account.to_owned(),
        region: "eu-west-1".to_owned(),
        fixes: vec!["f1".to_owned()],
        depends_on: Vec::new(),
        risk: Risk::Low,
        why_safe: "it is an example".to_owned(),
        because: "it is an example".to_owned(),
        at,
        before,
        after,
        diff: "+ an example\n".to_owned(),
        precondition: Precondition { fingerprint: "sha256:0".to_owned() },
        inverse: Inverse { kind, summary: "undo it".to_owned() },
        api_calls: vec![kind.api_call().to_owned()],
        monthly_cost_usd: 0.0,
        assumes: Some("arn:aws:iam::111122223333:role/registry".to_owned()),
        owner: Some(Owner {
            tool: Tool::CloudFormation,
            name: Some("stack".to_owned()),
            because: "a tag".to_owned(),
        }),
        warnings: vec!["a later run may undo it".to_owned()],
    }
}

/// Runs a tool on a text; `None` where the machine does not have the tool.
fn tool(command: &mut Command, input: &str) -> Option<(bool, String)> {
    use std::io::Write as _;
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = spawned else {
        eprintln!("SKIPPED: {command:?} cannot be run");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Some((output.status.success(), said))
}

#[test]
fn every_kind_is_expressed_or_said_not_to_be() {
    let plan = every_kind();
    let not_expressed = |language| export(&plan, language).matches("NOT EXPRESSED in").count();
    assert_eq!(not_expressed(Language::Awscli), 0, "{}", export(&plan, Language::Awscli));
    assert_eq!(not_expressed(Language::Terraform), 0, "{}", export(&plan, Language::Terraform));
    // Properties of resources that other stacks declare, and what exists already.
    assert_eq!(not_expressed(Language::Cloudformation), 10, "{}", export(&plan, Language::Cloudformation));
    for language in Language::ALL {
        let code = export(&plan, language);
        for action in &plan.actions {
            assert!(
                code.contains(&format!("# {} {}: ", action.id, action.kind.as_str())),
                "{}\n{code}",
                action.id
            );
        }
    }
}

#[test]
fn terraform_takes_it() {
    let code = export(&every_kind(), Language::Terraform);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("main.tf"), &code).unwrap();
    let terraform = |arguments: &[&str]| {
        let mut command = Command::new("terraform");
        command
            .args(arguments)
            .current_dir(dir.path())
            .env_remove("TF_CLI_CONFIG_FILE")
            .env("CHECKPOINT_DISABLE", "1");
        command
    };
    let Some((fine, said)) = tool(&mut terraform(&["fmt", "-check", "-diff", "-no-color"]), "") else {
        return;
    };
    assert!(fine, "{said}");
    // The provider is a download of hundreds of megabytes: only where the machine has it.
    let plugins =
        std::env::var("ECR_FIX_TEST_TERRAFORM_PLUGINS").unwrap_or_else(|_| "/opt/tf-plugins".to_owned());
    if !Path::new(&plugins).is_dir() {
        eprintln!("SKIPPED: no provider in {plugins}");
        return;
    }
    let (fine, said) =
        tool(&mut terraform(&["init", "-no-color", &format!("-plugin-dir={plugins}")]), "").unwrap();
    assert!(fine, "{said}");
    let (fine, said) = tool(&mut terraform(&["validate", "-no-color"]), "").unwrap();
    assert!(fine, "{said}\n{code}");
}

#[test]
fn cloudformation_takes_it() {
    let template = export(&every_kind(), Language::Cloudformation);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("template.yaml"), &template).unwrap();
    let mut command = Command::new("cfn-lint");
    command.args(["--regions", "eu-west-1", "--"]).arg(dir.path().join("template.yaml"));
    if let Some((fine, said)) = tool(&mut command, "") {
        assert!(fine, "{said}\n{template}");
    }
}

/// The CLI itself says whether it understands every call, and sends none.
#[test]
fn the_aws_cli_takes_it() {
    let script = export(&every_kind(), Language::Awscli);
    let dir = tempfile::tempdir().unwrap();
    let aws = dir.path().join("aws");
    // In place of the CLI: says who calls, and keeps the arguments of every other call.
    let stand_in = "#!/bin/sh\ncase \"$*\" in\n  *get-caller-identity*) echo \"$ACCOUNT\" ;;\n  \
        *) printf '%s\\0' \"$@\" '' >> \"$HOME/calls\" && echo sg-0123456789abcdef0 ;;\nesac\n";
    fs::write(&aws, stand_in).unwrap();
    fs::set_permissions(&aws, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let run = |script: &str, account: &str| {
        let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
        let mut bash = Command::new("bash");
        bash.arg("-s").env_clear().env("PATH", path).env("ACCOUNT", account).env("HOME", dir.path());
        tool(&mut bash, script).unwrap()
    };
    let (fine, said) = run(&script, "999988887777");
    assert!(!fine && said.contains("not 111122223333: set PROFILE_111122223333"), "{said}");
    assert!(!dir.path().join("calls").exists(), "a call to another account");

    let (fine, said) = run(&script.replace("444455556666", "111122223333"), "111122223333");
    assert!(fine, "{said}\n{script}");
    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports/aws_calls.py");
    let mut python = Command::new(test_python());
    let (fine, said) = tool(python.arg(check).arg(dir.path().join("calls")), "").unwrap();
    assert!(fine && said.contains("21 calls"), "{said}\n{script}");
}

#[test]
fn the_command_prints_code_and_json() {
    let program = Program::new();
    let story = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/demo/plan.json");
    fs::copy(story, program.home().join("plan.json")).unwrap();
    for language in ["terraform", "cloudformation", "awscli"] {
        let code = program.run(&["export", "plan.json", "--as", language]).expect(0).stdout;
        let document =
            program.run(&["export", "plan.json", "--as", language, "--output", "json"]).expect(0).json();
        assert_eq!(
            (document["language"].as_str(), document["code"].as_str()),
            (Some(language), Some(code.as_str()))
        );
        program.run(&["export", "plan.json", "--as", language, "--out", "code"]).expect(0);
        assert_eq!(fs::read_to_string(program.home().join("code")).unwrap(), code);
    }
    program.run(&["export", "plan.json"]).expect(64);
    program.run(&["export", "plan.json", "--as", "pulumi"]).expect(64);
    program.run(&["export", "nothing.json", "--as", "awscli"]).expect(1);
}
