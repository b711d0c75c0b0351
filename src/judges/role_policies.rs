//! Everything that decides what a role may do, as the evaluator wants it.

use std::collections::BTreeSet;

use crate::iam::{self, Document, Layer, Named, Policies};
use crate::model::iam::Role;
use crate::model::{PolicyText, Snapshot};

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
    all
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
