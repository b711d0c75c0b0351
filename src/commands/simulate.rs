//! `ecr-fix simulate`: evaluates IAM requests offline, and says which statement decided.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::Serialize;

use super::world::WorldArgs;
use crate::cli::Format;
use crate::diagnosis::FORMAT_VERSION;
use crate::error::{Code, Error};
use crate::iam::{
    self, Decision, Document, Knowledge, LONGEST_FILE, Layer, Named, Policies, Question, Request,
    RequestFile, Weighed,
};
use crate::judges::{registry_policies, role_policies};
use crate::model::ecr::RepositoryName;
use crate::model::iam::Role;
use crate::model::{Arn, Seen, Snapshot};
use crate::render;
use crate::ui::Ui;

/// Evaluate an IAM request offline, and say which statement decided
///
/// The request stands in a file, with all policies that have a say in it, or is put together from a role
/// of a snapshot or of a live cluster. A key that the request does not have is missing.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A request, or a list of requests, as JSON (`-`: standard input)
    #[arg(value_name = "REQUEST.json")]
    file: Option<String>,
    /// Ask for this role instead: its ARN, or its name
    #[arg(long, env = "ECR_FIX_ROLE", conflicts_with = "file")]
    role: Option<String>,
    /// What the role wants to do (repeatable; default: the calls of a pull)
    #[arg(long = "action", env = "ECR_FIX_ACTION", value_name = "SERVICE:ACTION", value_delimiter = ',')]
    actions: Vec<String>,
    /// The ARN of what it wants to do it to
    #[arg(long, env = "ECR_FIX_RESOURCE", value_name = "ARN")]
    resource: Option<String>,
    /// The policy of the resource, where a role is asked for
    #[arg(long, env = "ECR_FIX_RESOURCE_POLICY", value_name = "FILE", conflicts_with = "file")]
    resource_policy: Option<String>,
    /// The VPC endpoint that the request passes: its policy has a say, and `aws:SourceVpce` and `aws:SourceVpc` follow
    #[arg(long, env = "ECR_FIX_ENDPOINT", value_name = "VPCE", conflicts_with = "file")]
    endpoint: Option<String>,
    /// A context key of the request (repeatable)
    #[arg(long = "context-key", env = "ECR_FIX_CONTEXT_KEY", value_name = "KEY=VALUE", value_parser = key_value)]
    context: Vec<(String, String)>,
    /// Show what would change with one more policy or statement (repeatable). LAYER is identity (default),
    /// resource, boundary (replaced), session, endpoint, scp or rcp
    #[arg(long, env = "ECR_FIX_WHAT_IF", value_name = "[LAYER:]FILE")]
    what_if: Vec<String>,
    #[command(flatten)]
    world: WorldArgs,
}

/// The answer to one request.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    format_version: &'static str,
    /// As things are.
    #[serde(flatten)]
    pub decision: Decision,
    /// With the policies of `--what-if`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what_if: Option<Decision>,
    /// What the reader must know to trust the answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// For the text only.
    #[serde(skip)]
    pub request: Request,
}

/// The calls of a pull: the token is for the whole registry, the others for one repository.
const PULL: [&str; 3] = [TOKEN, "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
const TOKEN: &str = "ecr:GetAuthorizationToken";

/// A request with what is not known of it.
#[derive(Debug)]
struct Asked {
    question: Question,
    unread: BTreeSet<Layer>,
    notes: Vec<String>,
}

/// Its phases in a row: read, decide, print.
///
/// # Errors
/// A file, a request or a policy is malformed, or the policies of the role were not read.
pub async fn run(args: &Args, ui: &Ui) -> Result<u8, Error> {
    let additions: Vec<Addition> =
        args.what_if.iter().map(|text| Addition::read(text)).collect::<Result<_, _>>()?;
    let (asked, is_list) = match (&args.file, &args.role) {
        (Some(file), None) => from_file(file, &args.context)?,
        (None, Some(role)) => {
            let eyes = args.world.eyes().await?;
            let world = args.world.read(&eyes, ui).await?;
            let resource_policy = args.resource_policy.as_deref();
            let resource_policy = resource_policy
                .map(|file| read_policy(file, "resource_policy", Layer::Resource))
                .transpose()?;
            let asked = from_role(&world, role, &Wish { args, resource_policy })?;
            let is_list = asked.len() != 1;
            (asked, is_list)
        }
        _ => {
            return Err(Error::new(
                Code::Usage,
                "nothing is asked",
                "name a REQUEST.json (`-` for standard input), or a role with --role, --action and --resource",
            ));
        }
    };
    let answers: Vec<Answer> =
        asked.into_iter().map(|asked| answer(asked, &additions)).collect::<Result<_, _>>()?;
    ui.answer(&match (ui.format, answers.as_slice()) {
        (Format::Text, _) => answers
            .iter()
            .map(|answer| render::decision::answer(answer, ui.paint()))
            .collect::<Vec<_>>()
            .join("\n"),
        (Format::Json, [one]) if !is_list => render::json::document(one),
        (Format::Json, _) => render::json::document(&answers),
    });
    Ok(0)
}

fn answer(asked: Asked, additions: &[Addition]) -> Result<Answer, Error> {
    let Asked { question: Question { request, policies }, unread, notes } = asked;
    let decision = decide(&request, &policies, &unread, &notes)?;
    let what_if = if additions.is_empty() {
        None
    } else {
        let mut with = policies;
        additions.iter().for_each(|addition| addition.add_to(&mut with));
        Some(decide(&request, &with, &unread, &notes)?)
    };
    Ok(Answer { format_version: FORMAT_VERSION, decision, what_if, notes, request })
}

/// Strict in the keys of the request; a layer that was not read must not matter.
fn decide(
    request: &Request,
    policies: &Policies,
    unread: &BTreeSet<Layer>,
    notes: &[String],
) -> Result<Decision, Error> {
    if unread.is_empty() {
        return Ok(iam::decide(request, policies));
    }
    let knowledge = Knowledge { unread: unread.clone(), ..Knowledge::default() };
    match iam::weigh(request, policies, &knowledge) {
        Weighed::Allowed(decision) | Weighed::Denied(decision) => Ok(decision),
        Weighed::DependsOn(_) => {
            let error = Error::new(
                Code::BadInput,
                format!("whether {} may call {} cannot be decided", request.principal, request.action),
                "read the missing policies, for example with `ecr-fix snapshot`, or write the request as JSON",
            );
            Err(notes.iter().fold(error, Error::because))
        }
    }
}

fn from_file(file: &str, context: &[(String, String)]) -> Result<(Vec<Asked>, bool), Error> {
    let text = read(file)?;
    let parsed = RequestFile::parse(&text).map_err(|error| malformed(file, &error))?;
    let is_list = matches!(parsed, RequestFile::Many(_));
    let asked = parsed.questions().iter().cloned().map(|mut question| {
        add_context(&mut question.request.context, context);
        Asked { question, unread: BTreeSet::new(), notes: Vec::new() }
    });
    Ok((asked.collect(), is_list))
}

fn malformed(file: &str, error: &iam::RequestError) -> Error {
    let file = if file == "-" { "standard input" } else { file };
    Error::new(
        Code::BadInput,
        format!("{file} cannot be evaluated"),
        "correct the element that the JSON pointer names (IAM user guide, \"Grammar of the IAM JSON policy language\")",
    )
    .because(error)
}

/// What a role is asked for on the command line.
struct Wish<'a> {
    args: &'a Args,
    resource_policy: Option<Named>,
}

/// The requests of a role: everything that a snapshot knows has a say.
fn from_role(world: &Snapshot, role: &str, wish: &Wish<'_>) -> Result<Vec<Asked>, Error> {
    let role = find_role(world, role)?;
    let actions: Vec<&str> = match wish.args.actions.as_slice() {
        [] => PULL.to_vec(),
        actions => actions.iter().map(String::as_str).collect(),
    };
    actions.into_iter().map(|action| ask(world, role, action, wish)).collect()
}

fn ask(world: &Snapshot, role: &Role, action: &str, wish: &Wish<'_>) -> Result<Asked, Error> {
    let Wish { args, resource_policy } = wish;
    // The token is for no resource, whatever the other calls are for.
    let resource = match &args.resource {
        _ if action.eq_ignore_ascii_case(TOKEN) => "*",
        Some(resource) => resource,
        None => return Err(no_resource(action)),
    };
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for tag in &role.tags {
        keys.insert(format!("aws:PrincipalTag/{}", tag.key), vec![tag.value.clone()]);
    }
    if let Some(endpoint) = args.endpoint.as_deref().and_then(|id| world.ec2.vpc_endpoints.get(id)) {
        keys.insert("aws:SourceVpce".to_owned(), vec![endpoint.vpc_endpoint_id.clone()]);
        keys.insert("aws:SourceVpc".to_owned(), vec![endpoint.vpc_id.clone()]);
    }
    add_context(&mut keys, &args.context);
    let request = Request::checked(&role.arn, action, resource, keys).map_err(|error| {
        Error::new(Code::Usage, "the request cannot be evaluated", "check --action and --resource")
            .because(error)
    })?;
    let mut of_role = role_policies::of(world, role);
    let trust = world.roles.get(resource).and_then(|target| target.assume_role_policy_document.as_ref());
    if let Some(text) = trust {
        let document = Document::parse(text.as_str()).map_err(|error| {
            Error::new(
                Code::BadInput,
                format!("the trust policy of {resource} is malformed"),
                "correct it in IAM",
            )
            .because(error)
        })?;
        of_role.policies.resource.push(Named::new(format!("trust policy of {resource}"), document));
    }
    of_role.policies.resource.extend(resource_policy.clone().filter(|_| resource != "*"));
    let mut notes = of_role.notes;
    if let Some(repository) = repository(resource).filter(|_| resource_policy.is_none()) {
        let registry = registry_policies::of(world, repository);
        of_role.policies.resource.extend(registry.policies);
        notes.extend(
            registry
                .unread
                .into_iter()
                .map(|because| format!("{because}: what it denies does not show here")),
        );
    }
    if let Some(id) = &args.endpoint {
        match endpoint_policy(world, id)? {
            Some(policy) => of_role.policies.endpoint.push(policy),
            None => {
                of_role.unread.insert(Layer::Endpoint);
                notes.push(format!("the policy of endpoint {id} was not read"));
            }
        }
    }
    if of_role.policies.resource.is_empty() && belongs_to_others(role, resource) {
        of_role.unread.insert(Layer::Resource);
        notes.push(format!(
            "{resource} is in another account, whose policy was not read: give it with --resource-policy"
        ));
    }
    let not_judged = if args.endpoint.is_some() { "" } else { " and of endpoints (--endpoint)" };
    notes.push(format!("not judged: the policies of the organization{not_judged}"));
    Ok(Asked { question: Question { request, policies: of_role.policies }, unread: of_role.unread, notes })
}

/// The repository that an ARN is of.
fn repository(arn: &str) -> Option<RepositoryName<'_>> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, _, "ecr", region, account, resource] = parts.as_slice() else { return None };
    Some(RepositoryName { account, region, name: resource.strip_prefix("repository/")? })
}

/// The policy of an endpoint, where it was read: every endpoint has one.
fn endpoint_policy(world: &Snapshot, id: &str) -> Result<Option<Named>, Error> {
    let endpoint = world.ec2.vpc_endpoints.get(id).ok_or_else(|| {
        Error::new(Code::NotFound, format!("there is no endpoint {id}"), "check --endpoint, or read its VPC")
    })?;
    let Some(text) = &endpoint.policy_document else { return Ok(None) };
    let document = Document::parse(text.as_str()).map_err(|error| {
        Error::new(
            Code::BadInput,
            format!("the policy of endpoint {id} is malformed"),
            "correct it in the VPC",
        )
        .because(error)
    })?;
    Ok(Some(Named::new(format!("policy of endpoint {id}"), document)))
}

fn belongs_to_others(role: &Role, resource: &str) -> bool {
    let account = |arn: &str| arn.parse::<Arn>().map(|arn| arn.account).unwrap_or_default();
    let owner = account(resource);
    !owner.is_empty() && owner != account(&role.arn)
}

fn no_resource(action: &str) -> Error {
    Error::new(
        Code::Usage,
        format!("{action} is asked of nothing"),
        "name the repository with --resource arn:aws:ecr:REGION:ACCOUNT:repository/NAME, or `*`",
    )
}

fn find_role<'a>(world: &'a Snapshot, wanted: &str) -> Result<&'a Role, Error> {
    let named: Vec<&Role> = world.roles.values().filter(|role| role.role_name == wanted).collect();
    let hint = "name a role by its ARN (`ecr-fix diagnose` lists those of the cluster)";
    match named.as_slice() {
        [one] => return Ok(one),
        [] => {}
        _ => return Err(Error::new(Code::Usage, format!("several roles are named {wanted}"), hint)),
    }
    match world.role(wanted) {
        Seen::Known(role) => Ok(role),
        Seen::Absent => Err(Error::new(Code::NotFound, format!("there is no role {wanted}"), hint)),
        Seen::Unread(because) => {
            Err(Error::new(Code::NotFound, format!("role {wanted} was not read"), hint).because(because))
        }
    }
}

/// Keys of the command line take the place of those of the request, whatever their case.
fn add_context(keys: &mut BTreeMap<String, Vec<String>>, context: &[(String, String)]) {
    for (key, _) in context {
        keys.retain(|known, _| !known.eq_ignore_ascii_case(key));
    }
    for (key, value) in context {
        let known = keys.keys().find(|known| known.eq_ignore_ascii_case(key)).cloned();
        keys.entry(known.unwrap_or_else(|| key.clone())).or_default().push(value.clone());
    }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

/// A policy of `--what-if`.
#[derive(Debug)]
struct Addition {
    layer: Layer,
    policy: Named,
}

impl Addition {
    fn read(text: &str) -> Result<Addition, Error> {
        let prefixed = text.split_once(':').and_then(|(prefix, file)| {
            Layer::ALL.into_iter().find(|layer| layer.as_str() == prefix).map(|layer| (layer, file))
        });
        let (layer, file) = prefixed.unwrap_or((Layer::Identity, text));
        Ok(Addition { layer, policy: read_policy(file, "what-if", layer)? })
    }

    /// A role has one boundary, so another takes its place. An organization has levels: the policy joins the
    /// last, which is the account's; where none apply, it joins what AWS attaches to every account.
    fn add_to(&self, policies: &mut Policies) {
        let policy = self.policy.clone();
        match self.layer {
            Layer::Identity => policies.identity.push(policy),
            Layer::Resource => policies.resource.push(policy),
            Layer::Boundary => policies.boundary = Some(policy),
            Layer::Session => policies.session.get_or_insert_default().push(policy),
            Layer::Endpoint => policies.endpoint.push(policy),
            Layer::Scp => add_to_levels(&mut policies.service_control, policy),
            Layer::Rcp => add_to_levels(&mut policies.resource_control, policy),
        }
    }
}

fn add_to_levels(levels: &mut Vec<Vec<Named>>, policy: Named) {
    match levels.last_mut() {
        Some(level) => level.push(policy),
        None => levels.push(iam::managed::full_access().into_iter().chain([policy]).collect()),
    }
}

fn read_policy(file: &str, name: &str, layer: Layer) -> Result<Named, Error> {
    iam::policy_or_statement(&read(file)?, name, layer).map_err(|error| malformed(file, &error))
}

/// Reads a file or standard input, as far as it is not too long.
fn read(file: &str) -> Result<String, Error> {
    let failed = |error: std::io::Error| {
        let what = if file == "-" {
            "standard input cannot be read".to_owned()
        } else {
            format!("{file} cannot be read")
        };
        Error::new(Code::BadInput, what, "name a JSON file, or `-` for standard input").because(error)
    };
    let mut bytes = Vec::new();
    let most = u64::try_from(LONGEST_FILE).unwrap_or(u64::MAX).saturating_add(1);
    if file == "-" {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        File::open(Path::new(file)).map_err(failed)?.take(most).read_to_end(&mut bytes).map_err(failed)?;
    }
    let text = String::from_utf8(bytes).map_err(|error| failed(std::io::Error::other(error)))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use expect_test::{Expect, expect};

    use super::*;
    use crate::render::terminal::Paint;
    use crate::snapshot_dir;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    /// Asks for a role of a world as text, and draws the answers.
    fn check(world: &str, line: &[&str], what_if: &str, expected: Expect) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("world.json"), world).unwrap();
        let world = snapshot_dir::load(dir.path()).unwrap().snapshot;
        let args = Line::try_parse_from([&["simulate"], line].concat()).unwrap().args;
        let policy = args
            .resource_policy
            .as_deref()
            .map(|text| iam::policy_or_statement(text, "resource_policy", Layer::Resource).unwrap());
        let role = args.role.clone().unwrap();
        let additions: Vec<Addition> = (!what_if.is_empty())
            .then(|| Addition {
                layer: Layer::Identity,
                policy: iam::policy_or_statement(what_if, "what-if", Layer::Identity).unwrap(),
            })
            .into_iter()
            .collect();
        let answers =
            from_role(&world, &role, &Wish { args: &args, resource_policy: policy }).and_then(|asked| {
                asked.into_iter().map(|asked| answer(asked, &additions)).collect::<Result<Vec<_>, _>>()
            });
        let text = match answers {
            Ok(answers) => {
                answers.iter().map(|answer| render::decision::answer(answer, Paint { on: false })).collect()
            }
            Err(error) => render::text::error(&error),
        };
        expected.assert_eq(&text);
    }

    const WORLD: &str = r#"{"RoleDetailList": [
        {"RoleName": "node", "Arn": "arn:aws:iam::111122223333:role/team/node", "Tags": [{"Key": "team", "Value": "a"}],
         "AttachedManagedPolicies": [{"PolicyName": "AmazonEC2ContainerRegistryPullOnly",
             "PolicyArn": "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"}],
         "RolePolicyList": [{"PolicyName": "tagged", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
             {"Sid": "Own", "Effect": "Deny", "Action": "ecr:*", "NotResource": ["arn:aws:ecr:*:*:repository/${aws:PrincipalTag/team}/*"],
              "Condition": {"Null": {"aws:SourceVpce": "true"}}}]}}]},
        {"RoleName": "bare", "Arn": "arn:aws:iam::111122223333:role/bare", "AttachedManagedPolicies": [], "RolePolicyList": [],
         "AssumeRolePolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
             "Principal": {"AWS": "arn:aws:iam::111122223333:role/team/node"}}]}},
        {"RoleName": "half", "Arn": "arn:aws:iam::111122223333:role/half", "AttachedManagedPolicies": []}
    ]}"#;

    const GUARDED: &str = r#"{"RoleDetailList": [
        {"RoleName": "node", "Arn": "arn:aws:iam::111122223333:role/node", "RolePolicyList": [],
         "AttachedManagedPolicies": [{"PolicyName": "AmazonEC2ContainerRegistryPullOnly",
             "PolicyArn": "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"}]}],
        "repositories": [{"repositoryName": "app", "registryId": "111122223333",
            "repositoryArn": "arn:aws:ecr:eu-west-1:111122223333:repository/app"}],
        "VpcEndpoints": [
            {"VpcEndpointId": "vpce-1", "VpcId": "vpc-1", "ServiceName": "com.amazonaws.eu-west-1.ecr.dkr",
             "VpcEndpointType": "Interface", "State": "available", "PolicyDocument": {"Statement": [
                {"Sid": "TokensOnly", "Effect": "Allow", "Principal": "*", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}]}},
            {"VpcEndpointId": "vpce-2", "VpcId": "vpc-1", "ServiceName": "com.amazonaws.eu-west-1.ecr.api",
             "VpcEndpointType": "Interface", "State": "available"}],
        "registryId": "111122223333", "repositoryName": "app", "policyText": {"Version": "2012-10-17", "Statement": [
            {"Sid": "OwnEndpointOnly", "Effect": "Deny", "Principal": "*", "Action": "ecr:BatchGetImage",
             "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}}]}
    }"#;

    #[test]
    fn the_policies_of_the_repository_and_of_the_endpoint_have_a_say() {
        let asked = ["--role", "node", "--action", "ecr:BatchGetImage"];
        let asked =
            [&asked[..], &["--resource", "arn:aws:ecr:eu-west-1:111122223333:repository/app"]].concat();
        check(
            GUARDED,
            &asked,
            "",
            expect![[r#"
            ecr:BatchGetImage by arn:aws:iam::111122223333:role/node
              on arn:aws:ecr:eu-west-1:111122223333:repository/app
              DENIED: a Deny statement matches
              blocked by: resource policy
              decided by: Deny in resource policy repository policy, statement 0 (OwnEndpointOnly)
              note: AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in
              note: ecr:GetRegistryPolicy: not in the snapshot: what it denies does not show here
              note: not judged: the policies of the organization and of endpoints (--endpoint)
        "#]],
        );
        check(
            GUARDED,
            &[&asked[..], &["--endpoint", "vpce-1"]].concat(),
            "",
            expect![[r#"
            ecr:BatchGetImage by arn:aws:iam::111122223333:role/node
              on arn:aws:ecr:eu-west-1:111122223333:repository/app
              DENIED: something that must allow it does not
              blocked by: endpoint policy
              near miss:  endpoint policy policy of endpoint vpce-1, statement 0 (TokensOnly)
                          action does not match: the statement has `ecr:GetAuthorizationToken`, the request is `ecr:BatchGetImage`
              note: AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in
              note: ecr:GetRegistryPolicy: not in the snapshot: what it denies does not show here
              note: not judged: the policies of the organization
        "#]],
        );
        check(
            GUARDED,
            &[&asked[..], &["--endpoint", "vpce-2"]].concat(),
            "",
            expect![[r#"
            ecr:BatchGetImage by arn:aws:iam::111122223333:role/node
              on arn:aws:ecr:eu-west-1:111122223333:repository/app
              DENIED: a Deny statement matches
              blocked by: resource policy
              decided by: Deny in resource policy repository policy, statement 0 (OwnEndpointOnly)
              note: AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in
              note: ecr:GetRegistryPolicy: not in the snapshot: what it denies does not show here
              note: the policy of endpoint vpce-2 was not read
              note: not judged: the policies of the organization
        "#]],
        );
        check(
            GUARDED,
            &[&asked[..], &["--endpoint", "vpce-3"]].concat(),
            "",
            expect![[r#"
            error: there is no endpoint vpce-3
            hint: check --endpoint, or read its VPC
        "#]],
        );
    }

    #[test]
    fn a_role_and_the_calls_of_a_pull() {
        check(
            WORLD,
            &["--role", "node", "--resource", "arn:aws:ecr:eu-west-1:111122223333:repository/b/app"],
            "",
            expect![[r#"
                ecr:GetAuthorizationToken by arn:aws:iam::111122223333:role/team/node
                  on *
                  DENIED: a Deny statement matches
                  blocked by: identity policy
                  decided by: Deny in identity policy tagged, statement 0 (Own)
                  note: AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in
                  note: not judged: the policies of the organization and of endpoints (--endpoint)
                ecr:BatchGetImage by arn:aws:iam::111122223333:role/team/node
                  on arn:aws:ecr:eu-west-1:111122223333:repository/b/app
                  DENIED: a Deny statement matches
                  blocked by: identity policy
                  decided by: Deny in identity policy tagged, statement 0 (Own)
                  note: AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in
                  note: ecr:GetRepositoryPolicy: not in the snapshot: what it denies does not show here
                  note: ecr:GetRegistryPolicy: not in the snapshot: what it denies does not show here
                  note: not judged: the policies of the organization and of endpoints (--endpoint)
                ecr:GetDownloadUrlForLayer by arn:aws:iam::111122223333:role/team/node
                  on arn:aws:ecr:eu-west-1:111122223333:repository/b/app
                  DENIED: a Deny statement matches
                  blocked by: identity policy
                  decided by: Deny in identity policy tagged, statement 0 (Own)
                  note: AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in
                  note: ecr:GetRepositoryPolicy: not in the snapshot: what it denies does not show here
                  note: ecr:GetRegistryPolicy: not in the snapshot: what it denies does not show here
                  note: not judged: the policies of the organization and of endpoints (--endpoint)
            "#]],
        );
    }

    #[test]
    fn with_a_context_key_the_answer_is_another() {
        check(
            WORLD,
            &[
                "--role",
                "arn:aws:iam::111122223333:role/team/node",
                "--action",
                "ecr:BatchGetImage",
                "--resource",
                "arn:aws:ecr:eu-west-1:111122223333:repository/b/app",
                "--context-key",
                "AWS:sourceVpce=vpce-1",
            ],
            "",
            expect![[r#"
                ecr:BatchGetImage by arn:aws:iam::111122223333:role/team/node
                  on arn:aws:ecr:eu-west-1:111122223333:repository/b/app
                  ALLOWED
                  decided by: Allow in identity policy arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly, statement 0
                  note: AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in
                  note: ecr:GetRepositoryPolicy: not in the snapshot: what it denies does not show here
                  note: ecr:GetRegistryPolicy: not in the snapshot: what it denies does not show here
                  note: not judged: the policies of the organization and of endpoints (--endpoint)
            "#]],
        );
    }

    #[test]
    fn one_more_statement() {
        check(
            WORLD,
            &["--role", "bare", "--action", "ecr:GetAuthorizationToken"],
            r#"{"Effect": "Allow", "Action": "ecr:Get*", "Resource": "*"}"#,
            expect![[r#"
                ecr:GetAuthorizationToken by arn:aws:iam::111122223333:role/bare
                  on *
                  DENIED: something that must allow it does not
                  blocked by: identity policy
                With the change:
                  ALLOWED
                  decided by: Allow in identity policy what-if, statement 0
                  note: not judged: the policies of the organization and of endpoints (--endpoint)
            "#]],
        );
    }

    #[test]
    fn another_account_has_a_say() {
        let line =
            ["--role", "node", "--action", "ecr:BatchGetImage", "--context-key", "aws:SourceVpce=vpce-1"];
        let there = ["--resource", "arn:aws:ecr:eu-west-1:444455556666:repository/app"];
        check(
            WORLD,
            &[line.as_slice(), &there].concat(),
            "",
            expect![[r#"
                error: whether arn:aws:iam::111122223333:role/team/node may call ecr:BatchGetImage cannot be decided
                  because AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in
                  because ecr:GetRepositoryPolicy: not in the snapshot: what it denies does not show here
                  because ecr:GetRegistryPolicy: not in the snapshot: what it denies does not show here
                  because arn:aws:ecr:eu-west-1:444455556666:repository/app is in another account, whose policy was not read: give it with --resource-policy
                  because not judged: the policies of the organization and of endpoints (--endpoint)
                hint: read the missing policies, for example with `ecr-fix snapshot`, or write the request as JSON
            "#]],
        );
        let policy = r#"{"Effect": "Allow", "Action": "ecr:*", "Principal": {"AWS": "111122223333"}}"#;
        check(
            WORLD,
            &[line.as_slice(), &there, &["--resource-policy", policy]].concat(),
            "",
            expect![[r#"
                ecr:BatchGetImage by arn:aws:iam::111122223333:role/team/node
                  on arn:aws:ecr:eu-west-1:444455556666:repository/app
                  ALLOWED
                  decided by: Allow in identity policy arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly, statement 0
                  decided by: Allow in resource policy resource_policy, statement 0
                  note: AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in
                  note: not judged: the policies of the organization and of endpoints (--endpoint)
            "#]],
        );
    }

    #[test]
    fn a_role_that_is_assumed_has_a_trust_policy() {
        check(
            WORLD,
            &[
                "--role",
                "node",
                "--action",
                "sts:AssumeRole",
                "--resource",
                "arn:aws:iam::111122223333:role/bare",
            ],
            "",
            expect![[r#"
                sts:AssumeRole by arn:aws:iam::111122223333:role/team/node
                  on arn:aws:iam::111122223333:role/bare
                  ALLOWED
                  decided by: Allow in resource policy trust policy of arn:aws:iam::111122223333:role/bare, statement 0
                  note: AmazonEC2ContainerRegistryPullOnly was not read; its v1 of 2024-10-04 stands in
                  note: not judged: the policies of the organization and of endpoints (--endpoint)
            "#]],
        );
    }

    #[test]
    fn what_cannot_be_answered() {
        let pull = [
            "--action",
            "ecr:BatchGetImage",
            "--resource",
            "arn:aws:ecr:eu-west-1:111122223333:repository/app",
        ];
        check(
            WORLD,
            &[["--role", "half"].as_slice(), &pull].concat(),
            "",
            expect![[r#"
                error: whether arn:aws:iam::111122223333:role/half may call ecr:BatchGetImage cannot be decided
                  because the inline policies were not read
                  because ecr:GetRepositoryPolicy: not in the snapshot: what it denies does not show here
                  because ecr:GetRegistryPolicy: not in the snapshot: what it denies does not show here
                  because not judged: the policies of the organization and of endpoints (--endpoint)
                hint: read the missing policies, for example with `ecr-fix snapshot`, or write the request as JSON
            "#]],
        );
        check(
            WORLD,
            &[["--role", "none"].as_slice(), &pull].concat(),
            "",
            expect![[r#"
            error: there is no role none
            hint: name a role by its ARN (`ecr-fix diagnose` lists those of the cluster)
        "#]],
        );
        check(
            WORLD,
            &["--role", "node", "--action", "ecr:BatchGetImage"],
            "",
            expect![[r#"
            error: ecr:BatchGetImage is asked of nothing
            hint: name the repository with --resource arn:aws:ecr:REGION:ACCOUNT:repository/NAME, or `*`
        "#]],
        );
        check(
            WORLD,
            &["--role", "node", "--action", "ecr:*", "--resource", "*"],
            "",
            expect![[r#"
            error: the request cannot be evaluated
              because at /action: expected one action, SERVICE:ACTION without wildcards, this is "ecr:*"
            hint: check --action and --resource
        "#]],
        );
    }

    #[test]
    fn policies_join_the_layer_that_they_are_for() {
        let add = |layer: Layer, policies: &mut Policies| {
            let text = r#"{"Effect": "Deny", "Action": "*", "Resource": "*"}"#;
            Addition { layer, policy: iam::policy_or_statement(text, "what-if", layer).unwrap() }
                .add_to(policies);
        };
        let mut policies = Policies::default();
        Layer::ALL.into_iter().for_each(|layer| add(layer, &mut policies));
        assert_eq!((policies.identity.len(), policies.resource.len(), policies.endpoint.len()), (1, 1, 1));
        assert!(policies.boundary.is_some() && policies.session.is_some());
        // Where no level was known, AWS's own policy comes first.
        assert_eq!(policies.service_control[0][0].name.as_deref(), Some("FullAWSAccess"));
        assert_eq!((policies.service_control[0].len(), policies.resource_control[0].len()), (2, 2));
        add(Layer::Scp, &mut policies);
        assert_eq!((policies.service_control.len(), policies.service_control[0].len()), (1, 3));
    }
}
