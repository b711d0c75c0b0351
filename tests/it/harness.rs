//! The harness itself: each kind of trouble, as a client sees it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use expect_test::expect;
use serde_json::json;

use crate::support::{
    Fault, Program, Proxy, Request, Scenario, Times, assert_same_state, emulated_state, python,
    somebody_else, writes,
};

/// Runs Python code that reaches the emulator only through the proxy.
fn client(proxy: &Proxy, code: &str) -> String {
    let env = json!({
        "AWS_ENDPOINT_URL": proxy.url(), "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "harness", "AWS_SECRET_ACCESS_KEY": "harness",
    });
    python(&json!({ "env": env }), code)
}

#[test]
fn every_refusal_has_the_shape_of_its_service() {
    let proxy = Proxy::start();
    for action in ["ec2:DescribeVpcs", "iam:ListRoles", "ecr:DescribeRepositories", "eks:ListClusters"] {
        proxy.rule(action, Times::Nth(1), Fault::Deny);
        proxy.rule(action, Times::Nth(2), Fault::Throttle);
        proxy.rule(action, Times::Nth(3), Fault::ExpireToken);
        proxy.rule(action, Times::Nth(4), Fault::Fail(500));
        proxy.rule(action, Times::Nth(5), Fault::Fail(503));
    }
    let seen = client(
        &proxy,
        r#"
for service, call in {"ec2": "describe_vpcs", "iam": "list_roles", "ecr": "describe_repositories", "eks": "list_clusters"}.items():
    for attempt in range(6):
        try:
            getattr(client(service), call)()
            print(service, "ok")
        except ClientError as error:
            print(service, error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"])
"#,
    );
    expect![[r#"
        ec2 403 UnauthorizedOperation
        ec2 503 RequestLimitExceeded
        ec2 400 RequestExpired
        ec2 500 InternalError
        ec2 503 Unavailable
        ec2 ok
        iam 403 AccessDenied
        iam 400 Throttling
        iam 403 ExpiredToken
        iam 500 ServiceFailure
        iam 503 ServiceUnavailable
        iam ok
        ecr 400 AccessDeniedException
        ecr 400 ThrottlingException
        ecr 400 ExpiredTokenException
        ecr 500 ServerException
        ecr 503 ServiceUnavailableException
        ecr ok
        eks 403 AccessDeniedException
        eks 429 ThrottlingException
        eks 403 ExpiredTokenException
        eks 500 ServerException
        eks 503 ServiceUnavailableException
        eks ok
    "#]]
    .assert_eq(&seen);
    assert_eq!(writes(&proxy.requests()), [""; 0]);
    assert_eq!(proxy.count("*"), 24);
}

/// Whether AWS did what it was asked, and what the client was told.
#[test]
fn connections_are_cut_before_and_after_the_request_is_carried_out() {
    let proxy = Proxy::start();
    proxy.rule("iam:CreateRole", Times::Nth(1), Fault::Drop);
    proxy.rule("iam:CreateRole", Times::Nth(2), Fault::LoseAnswer);
    proxy.rule("iam:CreateRole", Times::Nth(3), Fault::Repeat);
    let seen = client(
        &proxy,
        r#"
iam = client("iam")
for name in ["dropped", "lost", "repeated", "fine"]:
    try:
        iam.create_role(RoleName="cut-" + name, AssumeRolePolicyDocument="{}")
        told = "ok"
    except ClientError as error:
        told = error.response["Error"]["Code"]
    except Exception as error:
        told = type(error).__name__
    made = any(role["RoleName"] == "cut-" + name for role in iam.list_roles()["Roles"])
    print(f"{name}: told {told}, made {made}")
"#,
    );
    expect![[r#"
        dropped: told ConnectionClosedError, made False
        lost: told ConnectionClosedError, made True
        repeated: told EntityAlreadyExists, made True
        fine: told ok, made True
    "#]]
    .assert_eq(&seen);
    assert_eq!(writes(&proxy.requests()), ["iam:CreateRole"; 4]);
    assert_eq!(proxy.requests()[0].field("RoleName").as_deref(), Some("cut-dropped"));
}

#[test]
fn whatever_is_not_known_to_read_is_a_write() {
    let proxy = Proxy::start();
    client(
        &proxy,
        r#"
eks, ec2, sts = client("eks"), client("ec2"), client("sts")
for call in [
    lambda: sts.get_caller_identity(),
    lambda: sts.assume_role(RoleArn="arn:aws:iam::111122223333:role/any", RoleSessionName="any"),
    lambda: client("ecr").batch_get_image(repositoryName="none", imageIds=[{"imageTag": "none"}]),
    lambda: eks.describe_nodegroup(clusterName="none", nodegroupName="none"),
    lambda: eks.list_access_entries(clusterName="none"),
    lambda: eks.delete_cluster(name="none"),
    lambda: ec2.delete_vpc_endpoints(VpcEndpointIds=["vpce-0"]),
]:
    try:
        call()
    except ClientError:
        pass
"#,
    );
    let names: Vec<String> = proxy.requests().iter().map(Request::name).collect();
    let reads = [
        "sts:GetCallerIdentity",
        "sts:AssumeRole",
        "ecr:BatchGetImage",
        "eks:DescribeNodegroup",
        "eks:ListAccessEntries",
    ];
    assert_eq!(names[..5], reads);
    assert_eq!(writes(&proxy.requests()), ["eks:DELETE /clusters/none", "ec2:DeleteVpcEndpoints"]);
}

#[test]
fn reads_lag_behind_writes() {
    let proxy = Proxy::start();
    proxy.rule("iam:ListRoleTags", Times::Always, Fault::StaleReads(2));
    proxy.rule("iam:GetRole", Times::Always, Fault::StaleFor(Duration::from_secs(600)));
    let code = r#"
iam = client("iam")
iam.create_role(RoleName="lagging", AssumeRolePolicyDocument="{}", Description="old")
tags = lambda: len(iam.list_role_tags(RoleName="lagging")["Tags"])
described = lambda: iam.get_role(RoleName="lagging")["Role"]["Description"]
print("before:", tags(), described())
iam.tag_role(RoleName="lagging", Tags=[{"Key": "a", "Value": "b"}])
iam.update_role_description(RoleName="lagging", Description="new")
print("after:", [tags() for _ in range(4)], described())
"#;
    expect![[r#"
        before: 0 old
        after: [0, 0, 1, 1] old
    "#]]
    .assert_eq(&client(&proxy, code));
    proxy.calm();
    let now = client(&proxy, r#"print(client("iam").get_role(RoleName="lagging")["Role"]["Description"])"#);
    assert_eq!(now, "new\n");
}

#[test]
fn somebody_acts_while_a_request_is_on_its_way() {
    let scenario = Scenario::build("healthy");
    let proxy = Proxy::start();
    let role = format!("{}-node", scenario.cluster());
    let tag =
        format!(r#"client("iam").tag_role(RoleName="{role}", Tags=[{{"Key": "who", "Value": "else"}}])"#);
    let mut through = scenario.document.clone();
    through["env"]["AWS_ENDPOINT_URL"] = json!(proxy.url());
    proxy.rule("iam:ListRoleTags", Times::Nth(1), Fault::Delay(Duration::from_millis(300)));
    proxy.rule(
        "iam:ListRoleTags",
        Times::Nth(1),
        Fault::meanwhile(move |_| drop(somebody_else(&scenario, &tag))),
    );
    let started = Instant::now();
    let seen =
        python(&through, &format!(r#"print(client("iam").list_role_tags(RoleName="{role}")["Tags"])"#));
    assert_eq!(seen, "[{'Key': 'who', 'Value': 'else'}]\n");
    assert!(started.elapsed() > Duration::from_millis(300));
    proxy.wait_for("iam:ListRoleTags", 1);
}

#[test]
fn the_state_of_the_emulator_shows_every_change() {
    let scenario = Scenario::build("node-role-no-ecr");
    assert_eq!(scenario.expected_causes(), ["node-role-missing-ecr-policy"]);
    assert!(scenario.role("node").ends_with("-node"));
    let before = emulated_state(&scenario);
    let policy = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly";
    let change = |verb: &str| {
        let role = format!("{}-node", scenario.cluster());
        somebody_else(
            &scenario,
            &format!(
                r#"client("iam").{verb}_role_policy(RoleName="{role}", PolicyArn="{policy}")
group = dict(GroupId=world["cluster"]["security_group"], IpPermissions=[
    {{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{{"CidrIp": "10.0.0.0/8"}}]}}])
ec2 = client("ec2")
ec2.authorize_security_group_ingress(**group) if "{verb}" == "attach" else ec2.revoke_security_group_ingress(**group)"#
            ),
        );
        emulated_state(&scenario)
    };
    let after = change("attach");
    let new: BTreeSet<&str> = after.lines().filter(|line| !before.contains(line)).map(str::trim).collect();
    let rule =
        [r#""CidrIp": "10.0.0.0/8""#, r#""FromPort": 443,"#, r#""IpProtocol": "tcp","#, r#""ToPort": 443,"#];
    assert_eq!(new, rule.into_iter().chain([format!("\"{policy}\",").as_str()]).collect());
    assert_same_state(&before, &change("detach"));
}

#[test]
fn nothing_of_the_callers_environment_reaches_the_program() {
    let program = Program::new().env("ECR_FIX_OUTPUT", "json").without("TERM");
    assert!(program.state().starts_with(program.home()));
    let usage = program.run(&["no-such-command"]).expect(64);
    assert_eq!(usage.error_code(), "usage");
    let version = program.start_limited("-f 1", &["--version"]).finish().expect(0);
    assert_eq!(version.stdout, concat!("ecr-fix ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn a_program_on_a_terminal_shows_its_errors_there_and_ends_by_its_exit_code() {
    let mut running = Program::new().on_terminal(&["no-such-command"]);
    running.wait_for("no-such-command");
    let outcome = running.finish().expect(64);
    assert_eq!(outcome.stdout, "");
    assert!(outcome.stderr.contains("\r\n"), "a terminal ends lines with both characters\n{outcome}");
}
