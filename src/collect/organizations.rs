//! Reads what an organization forbids: what stands above the accounts, and the policies on every level.

use std::collections::BTreeSet;

use super::each::each;
use super::hides::hides;
use crate::aws::{Reader, Reason, Refused};
use crate::model::Snapshot;
use crate::model::organizations::PolicyKind;

/// No organization is deeper: an account, five organizational units, the root.
const DEEPEST: usize = 7;

/// The policies that bind the accounts of a cluster and its registries, as a part of a snapshot. Where the caller is
/// told nothing of its own account, it is not asked for the others.
pub(super) async fn read(reader: &Reader, home: &str, others: BTreeSet<String>) -> Snapshot {
    let mut part = Snapshot::default();
    let mut accounts = vec![home.to_owned()];
    match reader.organization(home).await {
        Ok(organization) => {
            part.keys.insert("Organization".to_owned());
            // No policy of the organization binds the account that manages it.
            accounts.retain(|account| organization.master_account_id.as_ref() != Some(account));
            part.put(organization);
        }
        Err(refused) if refused.reason == Reason::NotFound => {
            part.not_found.insert(format!("{} {home}", refused.call));
            return part;
        }
        // Who may not read the organization may not read its policies.
        Err(refused) => {
            note(&mut part, &refused);
            return part;
        }
    }
    for account in accounts.into_iter().chain(others) {
        match above(reader, &account, &mut part).await {
            Ok(()) => {}
            // The account of a registry may be in no organization, or in another one.
            Err(refused) if refused.reason == Reason::NotFound && account != home => {}
            Err(refused) => {
                note(&mut part, &refused);
                return part;
            }
        }
    }
    attached(reader, &mut part).await;
    part
}

/// Everything above an account.
async fn above(reader: &Reader, account: &str, part: &mut Snapshot) -> Result<(), Refused> {
    let mut child = account.to_owned();
    for _ in 1..DEEPEST {
        if child.starts_with("r-") || part.organizations.parents.contains_key(&child) {
            break;
        }
        let Some(parent) = reader.parents(&child).await?.into_iter().next() else { break };
        part.keys.insert("Parents".to_owned());
        part.organizations.parents.insert(child, parent.clone());
        child = parent;
    }
    Ok(())
}

/// The policies of every target that is known, and their documents.
async fn attached(reader: &Reader, part: &mut Snapshot) {
    let parents = &part.organizations.parents;
    let targets: BTreeSet<String> = parents.keys().chain(parents.values()).cloned().collect();
    for kind in PolicyKind::ALL {
        let lists = each(reader, targets.iter().cloned(), move |reader, target| async move {
            reader.policies_for_target(&target, kind).await
        });
        for (target, list) in lists.await {
            match list {
                Ok(policies) => drop(part.organizations.attached.insert((target, kind), policies)),
                Err(refused) => note(part, &refused),
            }
        }
    }
    let ids: BTreeSet<String> =
        part.organizations.attached.values().flatten().map(|policy| policy.id.clone()).collect();
    let policies = each(reader, ids, |reader, id| async move { reader.organization_policy(&id).await }).await;
    for (_, policy) in policies {
        match policy {
            Ok(policy) => {
                part.keys.insert("Policy".to_owned());
                part.put(policy);
            }
            Err(refused) => note(part, &refused),
        }
    }
}

fn note(part: &mut Snapshot, refused: &Refused) {
    part.unread.push(refused.unread(hides(refused.call)));
}
