//! Policies of repositories, inline policies and instance profiles: the whole loop on real HTTP, across two accounts, and
//! what applying needs to be allowed.

use std::collections::{BTreeMap, BTreeSet};

use ecr_fix::iam::{self, Document, Named, Outcome, Policies};
use serde_json::{Value, json};

use crate::support::{Case, Request, assert_same_state, somebody_else};

/// Puts a policy on the repository of the other account, with that account's credentials.
const IN_THE_REGISTRY: &str = r#"
import boto3
keys = client("sts").assume_role(RoleArn=world["registry_role"], RoleSessionName="owner")["Credentials"]
env = world["env"]
ecr = boto3.client("ecr", endpoint_url=env["AWS_ENDPOINT_URL"], region_name=env["AWS_REGION"],
    aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"],
    aws_session_token=keys["SessionToken"])
shared = [row["arn"].split("repository/")[1] for row in world["repositories"] if row["account"] == world["registry_account"]][0]
"#;

/// A statement of somebody else, laid out as nobody would lay it out.
const PARTNER: &str = r#"{ "Sid":"Partner" ,"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999988887777:root"},
  "Action":["ecr:BatchGetImage" , "ecr:DescribeImages"]}"#;

/// As the owner of the registry, runs code that finds `ecr` and `shared`, the name of the repository.
fn as_owner(case: &Case, code: &str) {
    somebody_else(&case.scenario, &format!("{IN_THE_REGISTRY}{code}"));
}

fn set_policy(case: &Case, document: &str) {
    let text = Value::from(document).to_string();
    as_owner(case, &format!("ecr.set_repository_policy(repositoryName=shared, policyText={text})"));
}

/// The other account's repository has this policy; nothing else is wrong.
fn with_policy(statements: &[&str]) -> Case {
    let case = Case::build("cross-account-repo");
    let document =
        format!("{{ \"Version\" : \"2008-10-17\",\n \"Statement\":[ {} ]}}", statements.join(" ,\n"));
    set_policy(&case, &document);
    case
}

fn plan(case: &Case, arguments: &[&str]) -> Value {
    let images = case.images();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    case.live("plan", &[images.as_slice(), arguments, &["--out", "plan.json"]].concat()).expect(0).json()
}

fn verdict(case: &Case) -> String {
    let images = case.images();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    let diagnosis = case.live("diagnose", &images).expect(0).json();
    diagnosis["summary"]["verdict"].as_str().expect("a verdict").to_owned()
}

fn strings<'a>(rows: &'a Value, field: &str) -> Vec<&'a str> {
    rows.as_array().expect("a list").iter().map(|row| row[field].as_str().expect("a text")).collect()
}

/// Demands that the cause is found, that one action mends it with these calls, that the pulls work then, that every
/// request was allowed by the permissions of the plan and every permission used, and that the way back leads to every
/// byte. Gives the plan.
fn whole_loop(case: &Case, cause: &str, arguments: &[&str], forward: &str, back: &str) -> Value {
    let before = case.state();
    let plan = plan(case, arguments);
    assert_eq!(case.writes(), [""; 0], "planning writes nothing");
    let causes: BTreeSet<&str> = strings(&plan["diagnosis"]["findings"], "cause").into_iter().collect();
    assert_eq!(causes, BTreeSet::from([cause]), "{plan:#}");
    assert_eq!(plan["actions"].as_array().map(Vec::len), Some(1), "{plan:#}");
    assert_eq!(plan["proof"]["after"]["blocked"], 0, "{plan:#}");
    assert_eq!(plan["not_fixed"], json!([]), "{plan:#}");
    assert_eq!(plan["actions"][0]["api_calls"], json!([forward]));

    case.proxy.forget();
    // Without --account-role: the plan names the roles that it was made with.
    case.run(&["apply", "plan.json", "--yes"]).expect(0).json();
    assert_eq!(case.writes(), [forward]);
    let mut requests = case.proxy.requests();
    assert_eq!(verdict(case), "healthy");

    case.proxy.forget();
    case.run(&["rollback", "--yes"]).expect(0);
    assert_eq!(case.writes(), [back]);
    requests.extend(case.proxy.requests());
    assert_same_state(&before, &case.state());
    assert_eq!(verdict(case), "broken");
    check_permissions(case, &plan, &requests);
    plan
}

/// The statement that a plan adds to the policy of a repository.
fn added(plan: &Value) -> Value {
    let document = plan["actions"][0]["after"]["document"].as_str().expect("a document");
    let document: Value = serde_json::from_str(document).expect("JSON");
    document["Statement"].as_array().expect("statements").last().expect("a statement").clone()
}

#[test]
fn a_repository_without_a_policy() {
    let case = Case::build("cross-account-repo");
    let set = ["ecr:SetRepositoryPolicy", "ecr:DeleteRepositoryPolicy"];
    let plan = whole_loop(&case, "repo-policy-missing-cross-account", &[], set[0], set[1]);
    let action = &plan["actions"][0];
    assert_eq!(action["kind"], "set-repository-policy");
    assert_eq!(action["account"], case.scenario.text("/registry_account"));
    assert_eq!(action["assumes"], case.scenario.text("/registry_role"));
    assert_eq!(action["fixes"], json!(["f1", "f2"]), "the role of the nodes and that of the pods");
    let roles = json!([case.scenario.role("fargate"), case.scenario.role("node")]);
    let calls = json!(["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]);
    assert_eq!(
        added(&plan),
        json!({"Sid": "EcrFixPull", "Effect": "Allow", "Principal": {"AWS": roles}, "Action": calls})
    );
}

#[test]
fn a_repository_that_lets_somebody_else_in() {
    let case = with_policy(&[PARTNER]);
    let set = "ecr:SetRepositoryPolicy";
    let plan = whole_loop(&case, "repo-policy-missing-cross-account", &[], set, set);
    let (before, after) =
        (&plan["actions"][0]["before"]["document"], &plan["actions"][0]["after"]["document"]);
    assert!(before.as_str().unwrap().contains(PARTNER) && after.as_str().unwrap().contains(PARTNER));
}

/// The tags of a repository are read where its policy may have to be changed: they tell who else writes it.
#[test]
fn a_repository_that_somebody_has_as_code() {
    let case = with_policy(&[PARTNER]);
    as_owner(
        &case,
        "arn = ecr.describe_repositories(repositoryNames=[shared])['repositories'][0]['repositoryArn']\n\
         ecr.tag_resource(resourceArn=arn, tags=[{'Key': 'ManagedBy', 'Value': 'terraform'}])",
    );
    let made = plan(&case, &[]);
    assert_eq!(made["actions"][0]["owner"]["tool"], "terraform", "{made:#}");
    assert!(made["actions"][0]["warnings"][0].as_str().unwrap().contains("make the same change there"));
    let left = plan(&case, &["--owned", "refuse"]);
    assert_eq!(left["actions"], json!([]), "{left:#}");
    assert!(left["not_fixed"][0]["because"].as_str().unwrap().contains("Terraform"), "{left:#}");
}

#[test]
fn a_repository_that_names_a_role_that_was_deleted() {
    let stale = r#"{"Sid":"Nodes","Effect":"Allow","Principal":{"AWS":"AROAEXAMPLEEXAMPLE123"},
        "Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer","ecr:PutImage"]}"#;
    let case = with_policy(&[PARTNER, stale]);
    let set = "ecr:SetRepositoryPolicy";
    whole_loop(&case, "repo-policy-stale-principal", &[], set, set);
}

#[test]
fn a_repository_that_lets_in_under_a_condition() {
    let conditional = r#"{"Sid":"Others","Effect":"Allow","Principal":"*","Action":"ecr:*",
        "Condition":{"StringEquals":{"aws:PrincipalAccount":"999988887777"}}}"#;
    let case = with_policy(&[conditional]);
    let set = "ecr:SetRepositoryPolicy";
    // The owner meant the condition: without a word of the user it stays as it is.
    assert_eq!(plan(&case, &[])["actions"], json!([]));
    whole_loop(&case, "repo-policy-condition-mismatch", &["--allow-past-conditions"], set, set);
}

#[test]
fn a_repository_that_denies_is_left_to_its_owner() {
    let deny = r#"{"Sid":"Guard","Effect":"Deny","Principal":"*","Action":"ecr:BatchGetImage"}"#;
    let case = with_policy(&[PARTNER, deny]);
    let before = case.state();
    let plan = plan(&case, &[]);
    assert_eq!(plan["actions"], json!([]), "{plan:#}");
    let steps = plan["not_fixed"].to_string();
    assert!(steps.contains("aws ecr get-repository-policy") && steps.contains("out of the deny"), "{steps}");
    assert_same_state(&before, &case.state());
}

#[test]
fn nothing_is_tried_in_an_account_without_a_way_in() {
    let case = Case::build("cross-account-repo");
    let image = case.scenario.document["images"].as_array().unwrap().last().unwrap().as_str().unwrap();
    let plan = case.live("plan", &["--image", image]).expect(0).json();
    assert_eq!(plan["actions"], json!([]), "{plan:#}");
    assert_eq!(plan["diagnosis"]["summary"]["verdict"], "inconclusive", "{plan:#}");
}

#[test]
fn what_a_plan_does_not_rely_on_does_not_make_it_stale() {
    let case =
        with_policy(&[PARTNER, r#"{"Sid":"Other","Effect":"Deny","Principal":"*","Action":"ecr:PutImage"}"#]);
    let planned = plan(&case, &[]);
    as_owner(
        &case,
        r#"
document = json.loads(ecr.get_repository_policy(repositoryName=shared)["policyText"])
document["Statement"].reverse()
ecr.set_repository_policy(repositoryName=shared, policyText=json.dumps(document, indent=3))
arn = ecr.describe_repositories(repositoryNames=[shared])["repositories"][0]["repositoryArn"]
ecr.tag_resource(resourceArn=arn, tags=[{"Key": "team", "Value": "x"}])
"#,
    );
    case.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_eq!(verdict(&case), "healthy", "{planned:#}");
}

#[test]
fn what_a_plan_relies_on_makes_it_stale_and_is_named() {
    let case = with_policy(&[PARTNER]);
    plan(&case, &[]);
    as_owner(
        &case,
        r#"
document = json.loads(ecr.get_repository_policy(repositoryName=shared)["policyText"])
document["Statement"][0]["Action"] = "ecr:DescribeImages"
document["Statement"].append({"Sid": "New", "Effect": "Allow", "Principal": "*", "Action": "ecr:ListImages"})
ecr.set_repository_policy(repositoryName=shared, policyText=json.dumps(document))
"#,
    );
    let (before, refused) = (case.state(), case.run(&["apply", "plan.json", "--yes"]).expect(12));
    let said = refused.json()["error"].to_string();
    assert!(said.contains("Statement Partner.Action is") && said.contains("Statement New is new"), "{said}");
    assert_eq!(case.writes(), [""; 0]);
    assert_same_state(&before, &case.state());
}

#[test]
fn a_role_gets_only_what_was_judged() {
    let case = Case::build("node-role-no-ecr");
    let arguments = ["--least-privilege"];
    let calls = ["iam:PutRolePolicy", "iam:DeleteRolePolicy"];
    let plan = whole_loop(&case, "node-role-missing-ecr-policy", &arguments, calls[0], calls[1]);
    let document = plan["actions"][0]["after"]["document"].as_str().unwrap();
    for repository in case.scenario.document["repositories"].as_array().unwrap() {
        assert!(document.contains(repository["arn"].as_str().unwrap()), "{document}");
    }
    assert!(!document.contains("PutImage") && !document.contains("ecr:*"), "{document}");
}

#[test]
fn a_role_with_ten_policies_gets_an_inline_policy() {
    let case = Case::build("node-role-no-ecr");
    somebody_else(
        &case.scenario,
        r#"
iam, role = client("iam"), world["roles"]["node"].split("/")[-1]
for number in range(10 - len(iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"])):
    text = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}})
    made = iam.create_policy(PolicyName=f"{role}-{number}", PolicyDocument=text)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=role, PolicyArn=made)
"#,
    );
    let calls = ["iam:PutRolePolicy", "iam:DeleteRolePolicy"];
    whole_loop(&case, "node-role-missing-ecr-policy", &[], calls[0], calls[1]);
}

#[test]
fn a_node_without_an_instance_profile() {
    let case = Case::build("healthy");
    somebody_else(
        &case.scenario,
        r#"
ec2 = client("ec2")
node = world["cluster"]["instances"][0]
found = ec2.describe_iam_instance_profile_associations(Filters=[{"Name": "instance-id", "Values": [node]}])
ec2.disassociate_iam_instance_profile(AssociationId=found["IamInstanceProfileAssociations"][0]["AssociationId"])
"#,
    );
    let calls = ["ec2:AssociateIamInstanceProfile", "ec2:DisassociateIamInstanceProfile"];
    let plan =
        whole_loop(&case, "instance-profile-missing", &["--allow-profile-association"], calls[0], calls[1]);
    let owner = &plan["actions"][0]["owner"];
    assert_eq!(owner["tool"], "aws", "the node group owns its nodes: {plan:#}");
    assert!(
        plan["actions"][0]["warnings"][0].as_str().unwrap().contains("a service of AWS manages it"),
        "{plan:#}"
    );
}

#[test]
fn a_part_of_a_plan_is_planned_proven_and_made() {
    let case = Case::build("kitchen-sink");
    let whole = plan(&case, &[]);
    let repository =
        whole["actions"].as_array().unwrap().iter().find(|a| a["kind"] == "set-repository-policy");
    let id = repository.expect("a repository policy")["id"].as_str().unwrap();
    let part = plan(&case, &["--target", id]);
    assert_eq!(strings(&part["actions"], "id"), [id]);
    assert_eq!(&part["actions"][0], repository.unwrap(), "the same action as in the whole plan");
    assert_ne!(part["proof"]["after"], json!({"blocked": 0, "unknown": 0}), "the proof is of what is left");
    let left = part["not_fixed"].to_string();
    assert!(left.contains("left out on request: it is not a --target"), "{left}");

    let rest = plan(&case, &["--exclude", id]);
    let others: Vec<&str> =
        strings(&whole["actions"], "id").into_iter().filter(|other| *other != id).collect();
    assert_eq!(strings(&rest["actions"], "id"), others);
    case.live("plan", &["--target", "a99"]).expect(1);
    case.run(&["apply", "plan.json", "--yes", "--target", id]).expect(64);
    assert_eq!(case.writes(), [""; 0]);
}

/// The id of what was made is in the answer; where that got lost, it is looked up.
const FOR_LOST_ANSWERS: &str = "ec2:DescribeIamInstanceProfileAssociations";

/// Every request is allowed by what the plan says that it needs, and without any one permission some request is not.
fn check_permissions(case: &Case, plan: &Value, requests: &[Request]) {
    let policy = case.run(&["permissions", "plan.json"]).expect(0).json();
    let asked: Vec<iam::Request> = requests.iter().flat_map(|request| asked(case, request)).collect();
    for request in &asked {
        assert!(is_allowed(&policy, request), "{request:?} is not allowed by\n{policy:#}");
    }
    let needed = &plan["required_permissions"];
    let allowed_by_plan = || asked.iter().filter(|request| is_allowed(needed, request));
    for (index, statement) in needed["Statement"].as_array().expect("statements").iter().enumerate() {
        for (field, count) in
            [("Action", statement["Action"].as_array()), ("Resource", statement["Resource"].as_array())]
        {
            for dropped in 0..count.expect("a list").len() {
                let mut without = needed.clone();
                let list = without["Statement"][index][field].as_array_mut().unwrap();
                let gone = list.remove(dropped);
                if list.is_empty() {
                    without["Statement"].as_array_mut().unwrap().remove(index);
                }
                if gone == FOR_LOST_ANSWERS {
                    continue;
                }
                assert!(
                    allowed_by_plan().any(|request| !is_allowed(&without, request)),
                    "nothing needs {gone} of\n{needed:#}"
                );
            }
        }
    }
}

fn is_allowed(policy: &Value, request: &iam::Request) -> bool {
    let named =
        |document: &Value| Named::new("a policy", Document::parse(&document.to_string()).expect("a policy"));
    // The trust of the role in the account of the operator, which leaves it to that account whom it lets.
    let trust = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": request.principal.split(':').nth(4)},
    }});
    let resource = (request.action == "sts:AssumeRole").then(|| named(&trust)).into_iter().collect();
    let policies = Policies { identity: vec![named(policy)], resource, ..Policies::default() };
    iam::decide(request, &policies).outcome == Outcome::Allowed
}

/// What IAM is asked for a request, by the service authorization reference: the calls and their resources.
fn asked(case: &Case, request: &Request) -> Vec<iam::Request> {
    let (name, account) = (request.name(), case.scenario.account());
    let field = |name: &str| request.field(name).unwrap_or_default();
    let iam_arn = |kind: &str, name: &str| format!("arn:aws:iam::{account}:{kind}/{name}");
    let role = || {
        let known = ["node", "fargate", "cluster"].map(|role| case.scenario.role(role));
        let found = known.into_iter().find(|arn| arn.ends_with(&format!("/{}", field("RoleName"))));
        found.map_or_else(|| iam_arn("role", &field("RoleName")), str::to_owned)
    };
    let repository = || {
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let name = body["repositoryName"].as_str().or(body["repositoryNames"][0].as_str()).unwrap_or("*");
        let registry = body["registryId"].as_str().unwrap_or(account);
        (format!("arn:aws:ecr:{}:{registry}:repository/{name}", case.scenario.region()), registry.to_owned())
    };
    let instance = |id: &str| format!("arn:aws:ec2:{}:{account}:instance/{id}", case.scenario.region());
    let one = |resource: String, owner: &str| (name.clone(), resource, owner.to_owned());
    let all: Vec<(String, String, String)> = match name.as_str() {
        // Needs no permission.
        "sts:GetCallerIdentity" => Vec::new(),
        "sts:AssumeRole" => vec![one(field("RoleArn"), account)],
        "iam:GetInstanceProfile" => {
            vec![one(iam_arn("instance-profile", &field("InstanceProfileName")), account)]
        }
        "iam:GetPolicy" | "iam:GetPolicyVersion" => vec![one(field("PolicyArn"), account)],
        _ if name.starts_with("iam:") => vec![one(role(), account)],
        _ if name.starts_with("ecr:") => {
            let (arn, owner) = repository();
            vec![one(arn, &owner)]
        }
        "ec2:AssociateIamInstanceProfile" => vec![
            one(instance(&field("InstanceId")), account),
            ("iam:PassRole".to_owned(), case.scenario.role("node").to_owned(), account.to_owned()),
        ],
        // EC2 looks up the instance of the association.
        "ec2:DisassociateIamInstanceProfile" => {
            vec![one(instance(case.scenario.text("/cluster/instances/0")), account)]
        }
        _ => vec![one("*".to_owned(), account)],
    };
    all.into_iter()
        .map(|(action, resource, owner)| iam::Request {
            // Whoever asks is in the account that is asked: the operator, or the role that was assumed there.
            principal: format!("arn:aws:iam::{owner}:role/operator"),
            action,
            resource,
            resource_account: Some(owner),
            context: BTreeMap::new(),
        })
        .collect()
}
