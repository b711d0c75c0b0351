//! How fast requests are decided, and what reading the policies costs beside it.
//!
//! `cargo bench --bench iam`: one core; `items/s` are requests per second.

use std::collections::BTreeMap;

use divan::counter::ItemsCount;
use ecr_fix::iam::{Document, Knowledge, Named, Policies, Request, decide, weigh};

fn main() {
    divan::main();
}

const ACTIONS: [&str; 8] = [
    "ecr:GetAuthorizationToken",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchImportUpstreamImage",
    "ecr:CreateRepository",
    "ecr:DescribeImages",
    "s3:GetObject",
];

/// Twenty policies as a node role, its organization and a repository have them.
fn texts() -> Vec<String> {
    (0..20)
        .map(|number| {
            format!(
                r#"{{"Version": "2012-10-17", "Statement": [
                {{"Sid": "Token", "Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}},
                {{"Sid": "Pull", "Effect": "Allow", "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:Describe*"],
                  "Resource": ["arn:aws:ecr:*:111122223333:repository/team-{number}/*", "arn:aws:ecr:eu-*:*:repository/shared/*"],
                  "Principal": {{"AWS": "111122223333"}}}},
                {{"Sid": "Tagged", "Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::prod-*-bucket/${{aws:PrincipalTag/team}}/*"}},
                {{"Sid": "Perimeter", "Effect": "Deny", "NotAction": "iam:*", "Resource": "*", "Principal": "*",
                  "Condition": {{"StringNotEqualsIfExists": {{"aws:PrincipalOrgID": "o-1"}},
                                 "BoolIfExists": {{"aws:PrincipalIsAWSService": "false"}},
                                 "NotIpAddressIfExists": {{"aws:SourceIp": ["10.0.0.0/8", "192.0.2.0/24"]}}}}}}
            ]}}"#
            )
        })
        .collect()
}

fn named(texts: &[String]) -> Vec<Named> {
    texts
        .iter()
        .enumerate()
        .filter_map(|(number, text)| {
            let document = Document::parse(text).ok()?;
            Some(Named::new(format!("policy-{number}"), document))
        })
        .collect()
}

/// Ten policies of the role, one of the repository, one of the endpoint, and two levels of SCPs.
fn policies() -> Policies {
    let mut all = named(&texts());
    let mut take = |count: usize| all.drain(..count).collect::<Vec<_>>();
    Policies {
        identity: take(10),
        resource: take(1),
        endpoint: take(1),
        boundary: take(1).pop(),
        service_control: vec![take(2), take(2)],
        resource_control: vec![take(3)],
        session: None,
    }
}

/// A hundred pull paths: five roles and twenty images, each with every action.
fn requests() -> Vec<Request> {
    (0..100)
        .flat_map(|path| {
            ACTIONS.iter().map(move |action| {
                let (role, image) = (path % 5, path / 5);
                Request {
                    principal: format!("arn:aws:sts::111122223333:assumed-role/node-{role}/i-{path}"),
                    action: (*action).to_owned(),
                    resource: match *action {
                        "ecr:GetAuthorizationToken" => "*".to_owned(),
                        "s3:GetObject" => format!("arn:aws:s3:::prod-eu-west-1-bucket/a/{image}"),
                        _ => format!("arn:aws:ecr:eu-west-1:111122223333:repository/team-{image}/app"),
                    },
                    resource_account: Some("111122223333".to_owned()),
                    context: BTreeMap::from([
                        ("aws:SourceIp".to_owned(), vec!["10.1.2.3".to_owned()]),
                        ("aws:PrincipalOrgID".to_owned(), vec!["o-1".to_owned()]),
                        ("aws:PrincipalTag/team".to_owned(), vec!["a".to_owned()]),
                    ]),
                }
            })
        })
        .collect()
}

/// 100 pull paths × 8 actions × 20 policies, with reasons and near misses.
#[divan::bench]
fn decide_800_requests(bencher: divan::Bencher<'_, '_>) {
    let (policies, requests) = (policies(), requests());
    bencher.counter(ItemsCount::new(requests.len())).bench_local(|| {
        requests.iter().map(|request| decide(request, &policies).blocked_by.len()).sum::<usize>()
    });
}

/// The same with nothing known of the context, as the diagnosis asks.
#[divan::bench]
fn weigh_800_requests(bencher: divan::Bencher<'_, '_>) {
    let (policies, mut requests) = (policies(), requests());
    requests.iter_mut().for_each(|request| request.context.clear());
    let knowledge = Knowledge { unknown: ["*".to_owned()].into(), ..Knowledge::default() };
    bencher.counter(ItemsCount::new(requests.len())).bench_local(|| {
        requests
            .iter()
            .map(|request| std::mem::size_of_val(&weigh(request, &policies, &knowledge)))
            .sum::<usize>()
    });
}

/// Reading the twenty policies once.
#[divan::bench]
fn compile_20_policies(bencher: divan::Bencher<'_, '_>) {
    let texts = texts();
    bencher.counter(ItemsCount::new(texts.len())).bench_local(|| named(&texts).len());
}

/// Reading them as JSON only.
#[divan::bench]
fn parse_json_of_20_policies(bencher: divan::Bencher<'_, '_>) {
    let texts = texts();
    bencher.counter(ItemsCount::new(texts.len())).bench_local(|| {
        texts.iter().filter(|text| serde_json::from_str::<serde_json::Value>(text).is_ok()).count()
    });
}

/// A pattern that makes backtracking matchers explode.
#[divan::bench]
fn adversarial_wildcards(bencher: divan::Bencher<'_, '_>) {
    let pattern = format!("arn:aws:ecr:*:*:{}b", "*a?".repeat(1_000));
    let text = format!(
        r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", "Action": "*", "Resource": "{pattern}"}}}}"#
    );
    let policies = Policies { identity: named(&[text]), ..Policies::default() };
    let request = Request {
        principal: "arn:aws:iam::111122223333:role/node".to_owned(),
        action: "ecr:BatchGetImage".to_owned(),
        resource: format!("arn:aws:ecr:eu-west-1:111122223333:{}", "a".repeat(2_000)),
        ..Request::default()
    };
    bencher.bench_local(|| decide(&request, &policies).blocked_by.len());
}
