//! Everything that decides what a role may do, as the evaluator wants it.

use std::collections::BTreeSet;

use crate::iam::{self, Document, Knowledge, Layer, Named, Policies};
use crate::model::iam::Role;
use crate::model::organizations::PolicyKind;
use crate::model::{Arn, PolicyText, Seen, Snapshot, aws_accounts};
use crate::pulls::Image;

/// The policies of a role, and which of them could not be read.
#[derive(Clone, Debug, Default)]
pub(crate) struct RolePolicies {
    /// What was read.
    pub policies: Policies,
    /// The layers of which something was not read.
    pub unread: BTreeSet<Layer>,
    /// Why, and which built-in copies stand in.
    pub notes: Vec<String>,
}

/// The policies of a role in a snapshot.
pub(crate) fn of(world: &Snapshot, role: &Role) -> RolePolicies {
    let mut all = RolePolicies::default();
    match &role.attached_managed_policies {
        Some(attached) => {
            for policy in attached {
                let named = managed(world, &policy.policy_arn, Layer::Identity, &mut all);
                all.policies.identity.extend(named);
            }
        }
        None => all.miss(Layer::Identity, "the attached policies were not read"),
    }
    match &role.role_policy_list {
        Some(inline) => {
            for policy in inline {
                let named = inline_policy(&policy.policy_name, policy.policy_document.as_ref(), &mut all);
                all.policies.identity.extend(named);
            }
        }
        None => all.miss(Layer::Identity, "the inline policies were not read"),
    }
    if let Some(boundary) = &role.permissions_boundary {
        all.policies.boundary = managed(world, &boundary.permissions_boundary_arn, Layer::Boundary, &mut all);
    }
    match organization_levels(world, &account_of(role), PolicyKind::ServiceControlPolicy) {
        Ok(levels) => all.policies.service_control = levels,
        Err(because) => all.miss(Layer::Scp, &because),
    }
    all
}

/// Adds the policies with which the organization of a registry guards it.
pub(crate) fn add_resource_control(
    world: &Snapshot,
    image: &Image,
    all: &mut Policies,
    knowledge: &mut Knowledge,
) {
    match organization_levels(world, &image.account, PolicyKind::ResourceControlPolicy) {
        Ok(levels) => all.resource_control = levels,
        Err(_) => drop(knowledge.unread.insert(Layer::Rcp)),
    }
}

/// What requests of a role carry of its organization, where that was read.
pub(crate) fn organization(world: &Snapshot, role: &Role) -> Option<(String, Vec<String>)> {
    let account = account_of(role);
    let is_member = world.about.account.as_ref() == Some(&account);
    let organization = world.organization(&account).known().filter(|_| is_member)?;
    Some(("aws:PrincipalOrgID".to_owned(), vec![organization.id.clone()]))
}

/// How the names of its calls begin.
const ORGANIZATIONS: &str = "organizations:";

fn account_of(role: &Role) -> String {
    role.arn.parse::<Arn>().map(|arn| arn.account).unwrap_or_default()
}

/// The levels of an organization above an account, and their policies; none where none bind it. Where nobody asked for
/// them nothing speaks for any; where the answer was refused, there may be some.
fn organization_levels(world: &Snapshot, account: &str, kind: PolicyKind) -> Result<Vec<Vec<Named>>, String> {
    let levels = match world.organization_policies(account, kind) {
        Seen::Known(levels) => levels,
        Seen::Absent => return Ok(Vec::new()),
        Seen::Unread(_) if aws_accounts::is_aws_owned(account) => return Ok(Vec::new()),
        Seen::Unread(because) => {
            match world.unread.iter().find(|row| row.source.starts_with(ORGANIZATIONS)) {
                Some(row) => return Err(format!("{} was refused: {}", row.source, row.because)),
                None if world.knows_policies_above(account, kind) => return Err(because),
                None => return Ok(Vec::new()),
            }
        }
    };
    let named = |policy: &&crate::model::organizations::Policy| {
        let summary = &policy.policy_summary;
        let text = policy.content.as_ref().map_or("", PolicyText::as_str);
        let document = Document::parse(text);
        let document = document.map_err(|error| format!("{} cannot be understood: {error}", summary.name))?;
        Ok(Named::new(if summary.arn.is_empty() { &summary.name } else { &summary.arn }, document))
    };
    levels.iter().map(|level| level.iter().map(named).collect()).collect()
}

fn inline_policy(name: &str, text: Option<&PolicyText>, all: &mut RolePolicies) -> Option<Named> {
    let Some(text) = text else {
        all.miss(Layer::Identity, &format!("inline policy {name} was not read"));
        return None;
    };
    parse(name, text, Layer::Identity, all)
}

fn managed(world: &Snapshot, arn: &str, layer: Layer, all: &mut RolePolicies) -> Option<Named> {
    if let Some(text) = world.policies.get(arn).and_then(|policy| policy.document()) {
        return parse(arn, text, layer, all);
    }
    let Some(copy) = iam::managed::document(arn) else {
        all.miss(layer, &format!("{arn} was not read"));
        return None;
    };
    all.notes.push(format!("{} was not read; its {} of {} stands in", copy.name, copy.version, copy.date));
    Some(Named { name: Some(arn.to_owned()), document: copy.document })
}

fn parse(name: &str, text: &PolicyText, layer: Layer, all: &mut RolePolicies) -> Option<Named> {
    match Document::parse(text.as_str()) {
        Ok(document) => Some(Named::new(name, document)),
        Err(error) => {
            all.miss(layer, &format!("{name} cannot be understood: {error}"));
            None
        }
    }
}

impl RolePolicies {
    fn miss(&mut self, layer: Layer, because: &str) {
        self.unread.insert(layer);
        self.notes.push(because.to_owned());
    }
}
