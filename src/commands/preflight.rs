//! What can be known before the first write: whether the world is as planned, and whether AWS would let us.

use std::collections::{BTreeMap, BTreeSet};

use crate::actions::change::Standing;
use crate::actions::{AnyChange, Quota};
use crate::aws::{Reader, Reason, Refused, Simulated, Simulation};
use crate::collect;
use crate::error::{Code, Error};
use crate::iam::{self, Knowledge, Layer, Weighed};
use crate::judges::role_policies::{self, RolePolicies};
use crate::model::{Arn, Snapshot};
use crate::plan::{Action, Plan};
use crate::run::{ActionRecord, ActionState, World};
use crate::ui::Ui;

/// Looks at every resource before the first is changed: a plan is made as a whole or refused as a whole.
///
/// # Errors
/// A resource was changed since the plan was made, cannot be read, or has no room for what the plan adds.
pub async fn check_fresh(world: &World, plan: &Plan, states: &[ActionRecord]) -> Result<(), Error> {
    let mut quotas = Vec::new();
    for action in &plan.actions {
        let known = states.iter().find(|known| known.id == action.id);
        let change = action.change()?;
        let seen = world.look(&change).await?;
        check_one(action, &change, known.map_or(ActionState::Pending, |known| known.state), &seen)?;
        quotas.extend(change.quota(&seen).filter(|_| change.standing(&seen) == Standing::Before));
    }
    let Some(Quota { of, present, more, most }) = Quota::exceeded(quotas) else { return Ok(()) };
    let what = format!("there are {present} {of}, the plan adds {more}, and the default quota is {most}");
    let hint = "nothing was changed; make room or raise the quota, then make a new plan";
    Err(Error::new(Code::StalePlan, what, hint))
}

fn check_one(action: &Action, change: &AnyChange, state: ActionState, world: &Snapshot) -> Result<(), Error> {
    const HINT: &str = "nothing was changed; make a new plan";
    let (found, diff) = match (change.standing(world), state) {
        (Standing::Before, ActionState::Applied | ActionState::AlreadySo) => {
            ("it was taken back since".to_owned(), String::new())
        }
        (Standing::Before | Standing::After, _) => return Ok(()),
        // What an earlier process made is there, and somebody changed the same document beside it.
        (Standing::Elsewhere { .. }, made) if made != ActionState::Pending && change.is_in_force(world) => {
            return Ok(());
        }
        (Standing::Elsewhere { found, diff }, _) => (found, diff),
        (Standing::Unread(because), _) => {
            let denied = world.unread.iter().any(|unread| unread.because.contains("AccessDenied"));
            let code = if denied { Code::AccessDenied } else { Code::Aws };
            let what = format!("{} cannot be read, so it is not changed", change.resource());
            let hint = "nothing was changed; allow the read, then run the command again";
            return Err(Error::new(code, what, hint).because(because));
        }
    };
    let what = format!("{} was changed since the plan was made (action {})", change.resource(), action.id);
    let error = Error::new(Code::StalePlan, what, HINT).because(found);
    Err(if diff.is_empty() { error } else { error.because(format!("it now differs: {diff}")) })
}

/// Asks AWS what it would say to every call, without making one: IAM's simulation, and `DryRun` where a call has it.
/// Where the caller may not ask, its own policies are weighed, as far as it may read them. That neither is possible is no
/// failure: then the call itself will tell.
///
/// # Errors
/// A call would be refused.
pub async fn check_permitted(world: &World, plan: &Plan, caller: Option<&str>, ui: &Ui) -> Result<(), Error> {
    let World::Aws { reader, writer, .. } = world else { return Ok(()) };
    for action in &plan.actions {
        if let Some(refused) = Box::pin(action.change()?.dry_run(writer)).await {
            return Err(refused.error(format!("action {} would be refused", action.id)));
        }
    }
    let caller = caller.unwrap_or_default();
    let (refused, refused_by) = match Box::pin(simulate(reader, plan, caller)).await {
        Ok(refused) => (refused, "iam:SimulatePrincipalPolicy refuses"),
        Err(refused) => {
            if ui.verbose > 0 {
                ui.note(&format!("permissions are not simulated beforehand: {refused}"));
            }
            (Box::pin(weigh(reader, plan, caller)).await, "the policies of the caller do not allow")
        }
    };
    if refused.is_empty() {
        return Ok(());
    }
    let calls: Vec<&str> = refused.iter().map(|(call, _)| call.as_str()).collect();
    let what = format!("the plan needs calls that the caller may not make: {}", calls.join(", "));
    let hint =
        "nothing was changed; allow what `ecr-fix permissions PLAN` prints for the identity you run as";
    Err(refused.iter().fold(Error::new(Code::AccessDenied, what, hint), |error, (call, resource)| {
        error.because(format!("{refused_by} {call} on {resource}"))
    }))
}

/// The calls that the policies of the caller certainly do not allow, each with its resource: none where the caller is no
/// role, or may not read what it has.
async fn weigh(reader: &Reader, plan: &Plan, caller: &str) -> Vec<(String, String)> {
    let Ok(principal) = principal_of(reader, caller).await else { return Vec::new() };
    if !principal.contains(":role/") {
        return Vec::new();
    }
    let world = collect::role_with_policies(reader, &principal).await;
    let Some(role) = world.roles.get(&principal) else { return Vec::new() };
    let RolePolicies { policies, unread, .. } = role_policies::of(&world, role);
    let certainly_refused = |(call, resource): &(String, String)| {
        let mut knowledge =
            Knowledge { unknown: ["*".to_owned()].into(), absent: [].into(), unread: unread.clone() };
        if resource_may_allow(call) {
            knowledge.unread.insert(Layer::Resource);
        }
        let request = iam::Request {
            principal: principal.clone(),
            action: call.clone(),
            resource: resource.clone(),
            resource_account: None,
            context: BTreeMap::new(),
        };
        matches!(iam::weigh(&request, &policies, &knowledge), Weighed::Denied(_))
    };
    let home = plan.actions.iter().filter(|action| action.account == plan.target.account);
    permissions(home).into_iter().filter(certainly_refused).collect()
}

/// The calls that IAM would refuse, each with its resource.
async fn simulate(reader: &Reader, plan: &Plan, caller: &str) -> Result<Vec<(String, String)>, Refused> {
    let principal = principal_of(reader, caller).await?;
    let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (call, resource) in permissions(plan.actions.iter()) {
        wanted.entry(resource).or_default().push(call);
    }
    let mut refused = Vec::new();
    for (resource, calls) in wanted {
        let answers = reader.simulate(&principal, &calls, &resource).await?;
        let answers = answers.into_iter().filter(would_refuse);
        refused.extend(answers.map(|answer| (answer.call, resource.clone())));
    }
    Ok(refused)
}

fn would_refuse(simulated: &Simulated) -> bool {
    match simulated.answer {
        Simulation::NotRefused => false,
        Simulation::Denied => true,
        Simulation::NotAllowed => !resource_may_allow(&simulated.call),
    }
}

/// A repository may allow what the policies of the caller do not; nothing else that ecr-fix changes can.
fn resource_may_allow(call: &str) -> bool {
    call.starts_with("ecr:")
}

/// The calls of some actions, each with its resource, once.
fn permissions<'a>(actions: impl Iterator<Item = &'a Action>) -> BTreeSet<(String, String)> {
    let changes = actions.filter_map(|action| action.change().ok());
    let permissions = changes.flat_map(|change| change.permissions());
    permissions.map(|(call, resource)| (call.to_owned(), resource)).collect()
}

/// The ARN that the simulation knows the caller by: of the user, or of the role behind a session, with its path.
async fn principal_of(reader: &Reader, caller: &str) -> Result<String, Refused> {
    const CALL: &str = "iam:SimulatePrincipalPolicy";
    let arn: Arn = caller.parse().map_err(|_| Refused::never_sent(CALL, "the caller has no ARN"))?;
    let mut parts = arn.resource.split('/');
    match (arn.service.as_str(), parts.next(), parts.next()) {
        ("iam", Some("user"), Some(_)) => Ok(caller.to_owned()),
        ("sts", Some("assumed-role"), Some(role)) => Ok(reader.role(role).await?.arn),
        _ => Err(Refused {
            reason: Reason::Other,
            ..Refused::never_sent(CALL, "it knows users and roles only")
        }),
    }
}
