//! The logic of evaluation: from statements that match to a decision.
//!
//! Sources, all in the IAM user guide: "Policy evaluation logic", "How AWS enforcement code logic evaluates
//! requests", "Policy evaluation for requests within a single account", "Cross-account policy evaluation
//! logic", "Permissions boundaries for IAM entities", "Session policies"; and in the Organizations user
//! guide: "SCP evaluation", "RCP evaluation".

use std::collections::BTreeSet;

use super::condition::Truth;
use super::context::{Context, Knowledge, Lookup};
use super::decision::{Deciding, Decision, Doubt, NearMiss, Outcome, Weighed};
use super::document::{Effect, Statement};
use super::explain;
use super::glob::Fit;
use super::policies::{Layer, Named, Policies, Request};
use super::principal::{Caller, Claim, Who, is_account};
use super::resource::Target;
use super::services::{Rules, rules};

/// Decides a request of which everything is known: a key that it does not have is missing.
pub fn decide(request: &Request, policies: &Policies) -> Decision {
    let case = Case::new(request, policies, None);
    let said = case.hear();
    case.explained(&said, View::Worst)
}

/// Decides a request of which not everything is known.
///
/// The request is judged twice, once with everything unknown as the request needs it and once with nothing
/// so (Kleene's strong logic of three values): what does not differ is certain. Unknown facts are taken to
/// be independent of each other, so in rare cases "it depends" is said of what is certain, never the reverse.
/// Near misses are collected for what is denied only.
pub fn weigh(request: &Request, policies: &Policies, knowledge: &Knowledge) -> Weighed {
    let case = Case::new(request, policies, Some(knowledge));
    let said = case.hear();
    let (best, worst) = (case.judge(&said, View::Best), case.judge(&said, View::Worst));
    if worst.outcome == Outcome::Allowed {
        return Weighed::Allowed(case.decision(&said, View::Worst));
    }
    if best.outcome != Outcome::Allowed {
        return Weighed::Denied(case.explained(&said, View::Best));
    }
    let at_best = case.decision(&said, View::Best);
    let unread = knowledge.unread.iter().copied().filter(|layer| case.applies(*layer)).collect();
    let at_worst = case.explained(&said, View::Worst);
    Weighed::DependsOn(Box::new(Doubt { keys: relevant_keys(&said), unread, at_best, at_worst }))
}

/// How the unknown is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    /// Statements that may allow do, statements that may deny do not.
    Best,
    /// The reverse.
    Worst,
}

/// Everything about a request that is the same for every statement.
pub(super) struct Case<'a> {
    pub caller: Caller<'a>,
    pub target: Target<'a>,
    pub context: Context<'a>,
    /// In lower case.
    pub service: String,
    /// In lower case.
    pub action: String,
    /// As it stands in the request.
    pub written_action: &'a str,
    policies: &'a Policies,
    same_account: bool,
    rules: Rules,
    unread: BTreeSet<Layer>,
}

/// A statement that matches, or may match.
struct Said<'a> {
    layer: Layer,
    level: usize,
    policy: &'a Named,
    index: usize,
    statement: &'a Statement,
    claim: Claim,
    truth: Truth,
    unknown: Vec<String>,
}

impl Said<'_> {
    fn counts(&self, effect: Effect, view: View) -> bool {
        self.statement.effect == effect
            && match self.truth {
                Truth::Yes => true,
                Truth::No => false,
                Truth::Unknown => (view == View::Best) == (effect == Effect::Allow),
            }
    }
}

struct Judgement {
    outcome: Outcome,
    blocked_by: Vec<Layer>,
}

impl<'a> Case<'a> {
    fn new(request: &'a Request, policies: &'a Policies, knowledge: Option<&'a Knowledge>) -> Case<'a> {
        let caller = Caller::new(&request.principal);
        let target = Target::new(&request.resource);
        let owner = resource_account(request, &target).or(caller.account());
        let same_account = caller.account().is_some() && owner == caller.account();
        let context = Context::new(request, &caller, &target, owner, knowledge);
        let lower = request.action.to_lowercase();
        let (service, action) = lower.split_once(':').unwrap_or(("", &lower));
        let rules = rules(service, action, &target);
        Case {
            context,
            service: service.to_owned(),
            action: action.to_owned(),
            written_action: &request.action,
            policies,
            same_account,
            rules,
            unread: knowledge.map(|knowledge| knowledge.unread.clone()).unwrap_or_default(),
            caller,
            target,
        }
    }

    /// Whether policies of this kind have a say in requests of this principal.
    ///
    /// Service principals, identity providers and unsigned requests have no identity policies and are bound
    /// by no SCP; the root user has neither identity policies nor a boundary; service-linked roles are bound
    /// by neither SCPs nor RCPs. That an account is the management account of its organization, to which
    /// SCPs and RCPs do not apply either, cannot be seen from a request: leave its levels empty.
    fn applies(&self, layer: Layer) -> bool {
        match layer {
            Layer::Identity | Layer::Boundary | Layer::Session => {
                self.caller.account().is_some() && !self.caller.is_root()
            }
            Layer::Resource | Layer::Endpoint => true,
            Layer::Scp => self.caller.account().is_some() && !self.caller.is_service_linked(),
            Layer::Rcp => !self.caller.is_service_linked(),
        }
    }

    /// Every policy with its layer and level.
    fn policies(&self) -> impl Iterator<Item = (Layer, usize, &'a Named)> + use<'a, '_> {
        let Policies { identity, boundary, session, resource, endpoint, service_control, resource_control } =
            self.policies;
        let flat =
            |layer: Layer, policies: &'a [Named]| policies.iter().map(move |policy| (layer, 0, policy));
        let levels = |layer: Layer, levels: &'a [Vec<Named>]| {
            levels
                .iter()
                .enumerate()
                .flat_map(move |(level, policies)| policies.iter().map(move |policy| (layer, level, policy)))
        };
        flat(Layer::Identity, identity)
            .chain(flat(Layer::Resource, resource))
            .chain(flat(Layer::Boundary, boundary.as_slice()))
            .chain(flat(Layer::Session, session.as_deref().unwrap_or_default()))
            .chain(flat(Layer::Endpoint, endpoint))
            .chain(levels(Layer::Scp, service_control))
            .chain(levels(Layer::Rcp, resource_control))
            .filter(|(layer, _, _)| self.applies(*layer))
    }

    /// Collects the statements that match, or may match.
    fn hear(&self) -> Vec<Said<'a>> {
        let mut said = Vec::new();
        for (layer, level, policy) in self.policies() {
            for (index, statement) in policy.document.statements.iter().enumerate() {
                let mut unknown = Vec::new();
                let (claim, truth) = self.matches(statement, layer, &mut unknown);
                if truth != Truth::No {
                    said.push(Said { layer, level, policy, index, statement, claim, truth, unknown });
                }
            }
        }
        said
    }

    fn matches(&self, statement: &Statement, layer: Layer, unknown: &mut Vec<String>) -> (Claim, Truth) {
        if !self.action_matches(statement) {
            return (Claim::None, Truth::No);
        }
        let claim = self.claim(statement, layer);
        if claim == Claim::None {
            return (claim, Truth::No);
        }
        let resource = self.resource_matches(statement, layer, unknown);
        if resource == Truth::No {
            return (claim, Truth::No);
        }
        let conditions = statement.conditions.iter().map(|condition| condition.holds(&self.context, unknown));
        (claim, Truth::all([resource, Truth::all(conditions)]))
    }

    pub(super) fn action_matches(&self, statement: &Statement) -> bool {
        let choice = &statement.action;
        choice.entries.iter().any(|entry| entry.matches(&self.service, &self.action)) != choice.negated
    }

    pub(super) fn resource_matches(
        &self,
        statement: &Statement,
        layer: Layer,
        unknown: &mut Vec<String>,
    ) -> Truth {
        let Some(choice) = &statement.resource else { return Truth::Yes };
        let mut any = Truth::No;
        for entry in &choice.entries {
            match entry.fits(&self.target, layer, |key| self.context.variable(key)) {
                Fit::Yes => {
                    any = Truth::Yes;
                    break;
                }
                // "A resource that includes a policy variable with no value will not match any resource."
                Fit::No | Fit::Nothing => {}
                Fit::Unknown => {
                    unknown.extend(entry.keys().filter(|key| self.is_unknown(key)).map(str::to_owned));
                    any = Truth::Unknown;
                }
            }
        }
        if choice.negated { !any } else { any }
    }

    fn is_unknown(&self, key: &str) -> bool {
        matches!(self.context.get(key), Lookup::Unknown)
    }

    /// Whether a statement means the caller. Only policies of resources and endpoints name principals.
    pub(super) fn claim(&self, statement: &Statement, layer: Layer) -> Claim {
        let choice = match (layer, &statement.principal) {
            (Layer::Resource, None) => return Claim::None,
            (Layer::Resource | Layer::Endpoint, Some(choice)) => choice,
            _ => return Claim::Direct,
        };
        let user_id = self.context.single("aws:userid");
        let most = choice.entries.iter().map(|entry| entry.claim(&self.caller, user_id)).max();
        let most = most.unwrap_or(Claim::None);
        match (choice.negated, most) {
            (false, most) => most,
            (true, Claim::None) => match (statement.effect, self.caller.who()) {
                // A role that is merely not excluded is limited as one that is named.
                (Effect::Allow, Some(Who::Role { .. })) => Claim::Role,
                _ => Claim::Direct,
            },
            // "The NotPrincipal element with a Deny effect will always deny any IAM principal that has a
            // permissions boundary policy attached, regardless of the values specified."
            (true, _) if statement.effect == Effect::Deny && self.has_boundary() => Claim::Direct,
            (true, _) => Claim::None,
        }
    }

    fn has_boundary(&self) -> bool {
        self.applies(Layer::Boundary) && self.policies.boundary.is_some()
    }

    fn judge(&self, said: &[Said<'_>], view: View) -> Judgement {
        if self.rules.always_allowed && self.caller.account().is_some() {
            return Judgement { outcome: Outcome::Allowed, blocked_by: Vec::new() };
        }
        let unread = |layer: Layer| self.unread.contains(&layer) && self.applies(layer);
        let is_denied = |layer: Layer| {
            view == View::Worst && unread(layer)
                || said.iter().any(|said| said.layer == layer && said.counts(Effect::Deny, view))
        };
        let denied: Vec<Layer> = Layer::ALL.into_iter().filter(|layer| is_denied(*layer)).collect();
        let lacking = self.lacking(said, view);
        let blocked_by: Vec<Layer> = Layer::ALL
            .into_iter()
            .filter(|layer| denied.contains(layer) || lacking.contains(layer))
            .collect();
        let outcome = match (denied.is_empty(), blocked_by.is_empty()) {
            (false, _) => Outcome::ExplicitDeny,
            (true, false) => Outcome::ImplicitDeny,
            (true, true) => Outcome::Allowed,
        };
        Judgement { outcome, blocked_by }
    }

    /// The layers that stop the request because they do not allow it.
    fn lacking(&self, said: &[Said<'_>], view: View) -> Vec<Layer> {
        let hoped = |layer: Layer| view == View::Best && self.unread.contains(&layer);
        let allows = |layer: Layer, level: usize| {
            said.iter()
                .any(|said| said.layer == layer && said.level == level && said.counts(Effect::Allow, view))
        };
        let claims = |least: Claim| {
            hoped(Layer::Resource)
                || said.iter().any(|said| {
                    said.layer == Layer::Resource && said.claim >= least && said.counts(Effect::Allow, view)
                })
        };
        let may = |layer: Layer| hoped(layer) || allows(layer, 0);
        let mut lacking = Vec::new();
        if !self.policies.endpoint.is_empty() && !may(Layer::Endpoint) {
            lacking.push(Layer::Endpoint);
        }
        let levels = self.policies.service_control.len();
        if self.applies(Layer::Scp)
            && !hoped(Layer::Scp)
            && !(0..levels).all(|level| allows(Layer::Scp, level))
        {
            lacking.push(Layer::Scp);
        }
        if self.rules.never_allowed {
            lacking.push(Layer::Resource);
        }
        if self.caller.account().is_none() {
            if !claims(Claim::Direct) {
                lacking.push(Layer::Resource);
            }
            return lacking;
        }
        // Within one account, what a resource policy grants to this very user or session, or to everyone, is
        // limited by no boundary and no session policy; what it grants to the role is.
        let direct = self.same_account && claims(Claim::Direct);
        if self.has_boundary() && !may(Layer::Boundary) && !direct {
            lacking.push(Layer::Boundary);
        }
        let session_allows = match (&self.policies.session, self.caller.who()) {
            (Some(_), _) if self.applies(Layer::Session) => may(Layer::Session),
            // "If there is no session policy, the code checks whether the principal is a role session."
            (None, Some(Who::FederatedUser { .. })) => hoped(Layer::Session),
            _ => true,
        };
        if !session_allows && !direct {
            lacking.push(Layer::Session);
        }
        let identity_allows = self.caller.is_root() || may(Layer::Identity);
        let trusted = claims(Claim::Account);
        let granted = claims(Claim::Role);
        let (identity, resource) = match (self.same_account, self.rules.needs_resource_policy) {
            (false, _) => (!identity_allows, !trusted),
            (true, true) => (!identity_allows && !granted && trusted, !trusted),
            (true, false) => (!identity_allows && !granted, false),
        };
        lacking.extend(identity.then_some(Layer::Identity));
        lacking.extend(resource.then_some(Layer::Resource));
        lacking
    }

    fn decision(&self, said: &[Said<'_>], view: View) -> Decision {
        let Judgement { outcome, blocked_by } = self.judge(said, view);
        let decided_by = match outcome {
            Outcome::Allowed => Some(Effect::Allow),
            Outcome::ExplicitDeny => Some(Effect::Deny),
            Outcome::ImplicitDeny => None,
        };
        let deciding = said
            .iter()
            .filter(|said| decided_by.is_some_and(|effect| said.counts(effect, view)))
            .map(|said| Deciding {
                policy_type: said.layer,
                policy: said.policy.name.clone(),
                level: level(said.layer, said.level),
                statement: said.index,
                sid: said.statement.sid.clone(),
                effect: said.statement.effect,
            })
            .collect();
        Decision { outcome, blocked_by, deciding, near_misses: Vec::new() }
    }

    /// A decision with the statements that nearly had a say.
    fn explained(&self, said: &[Said<'_>], view: View) -> Decision {
        let decision = self.decision(said, view);
        Decision { near_misses: self.near_misses(said, decision.outcome, view), ..decision }
    }

    /// For a denied request the statements that nearly allow it, in layers where none does; for an allowed
    /// one all that nearly match.
    fn near_misses(&self, said: &[Said<'_>], outcome: Outcome, view: View) -> Vec<NearMiss> {
        let allowed = outcome == Outcome::Allowed;
        let allows = |layer: Layer, level: usize| {
            said.iter()
                .any(|said| said.layer == layer && said.level == level && said.counts(Effect::Allow, view))
        };
        self.policies()
            .filter(|(layer, level, _)| allowed || *layer != Layer::Rcp && !allows(*layer, *level))
            .flat_map(|(layer, level, policy)| {
                policy
                    .document
                    .statements
                    .iter()
                    .enumerate()
                    .map(move |(index, statement)| (layer, level, policy, index, statement))
            })
            .filter(|(.., statement)| allowed || statement.effect == Effect::Allow)
            .filter_map(|(layer, policy_level, policy, index, statement)| {
                let (element, because) = explain::near_miss(self, statement, layer)?;
                Some(NearMiss {
                    policy_type: layer,
                    policy: policy.name.clone(),
                    level: level(layer, policy_level),
                    statement: index,
                    sid: statement.sid.clone(),
                    effect: statement.effect,
                    element,
                    because,
                })
            })
            .take(super::decision::MOST_NEAR_MISSES)
            .collect()
    }
}

fn level(layer: Layer, level: usize) -> Option<usize> {
    matches!(layer, Layer::Scp | Layer::Rcp).then_some(level)
}

/// The account that owns the resource, as far as the request says so.
fn resource_account<'a>(request: &'a Request, target: &'a Target<'_>) -> Option<&'a str> {
    let of_context = || {
        let key = request.context.iter().find(|(key, _)| key.eq_ignore_ascii_case("aws:ResourceAccount"));
        key.and_then(|(_, values)| values.first()).map(String::as_str)
    };
    request
        .resource_account
        .as_deref()
        .or_else(|| Some(target.account()).filter(|account| is_account(account)))
        .or_else(of_context)
}

/// The unknown keys of statements that may change the outcome: a statement that may allow does not where
/// another of the same layer certainly does.
fn relevant_keys(said: &[Said<'_>]) -> BTreeSet<String> {
    let settled = |doubtful: &Said<'_>| {
        doubtful.statement.effect == Effect::Allow
            && said.iter().any(|other| {
                (other.layer, other.level) == (doubtful.layer, doubtful.level)
                    && other.truth == Truth::Yes
                    && other.statement.effect == Effect::Allow
                    && other.claim >= doubtful.claim
            })
    };
    said.iter()
        .filter(|said| said.truth == Truth::Unknown && !settled(said))
        .flat_map(|said| said.unknown.iter().cloned())
        .collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::iam::RequestFile;

    const NODE: &str = "arn:aws:iam::111122223333:role/team/node";
    const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/node/i-1";
    const USER: &str = "arn:aws:iam::111122223333:user/ann";
    const FEDERATED: &str = "arn:aws:sts::111122223333:federated-user/ann";
    const ROOT: &str = "arn:aws:iam::111122223333:root";
    const HERE: &str = "arn:aws:ecr:eu-west-1:111122223333:repository/app";
    const THERE: &str = "arn:aws:ecr:eu-west-1:444455556666:repository/app";

    fn json(principal: &str, resource: &str, fields: &str) -> String {
        let fields = fields
            .replace("PULL", r#"{"Effect": "Allow", "Action": "ecr:BatchGetImage", "Resource": "*"}"#)
            .replace("OTHER", r#"{"Effect": "Allow", "Action": "ecr:ListImages", "Resource": "*"}"#)
            .replace("DENY", r#"{"Effect": "Deny", "Action": "ecr:*", "Resource": "*"}"#)
            .replace("ALL", r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#);
        format!(
            r#"{{"principal": "{principal}", "action": "ecr:BatchGetImage", "resource": "{resource}" {fields}}}"#
        )
    }

    fn decided(text: &str) -> Decision {
        let file = RequestFile::parse(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let question = &file.questions()[0];
        decide(&question.request, &question.policies)
    }

    fn summary(decision: &Decision) -> String {
        let layers: Vec<_> = decision.blocked_by.iter().map(|layer| layer.as_str()).collect();
        format!("{} {}", decision.outcome.as_str(), layers.join(",")).trim_end().to_owned()
    }

    /// Principal, resource, fields of the request, and what comes of it.
    fn check(rows: &[(&str, &str, String, &str)]) {
        for (principal, resource, fields, expected) in rows {
            let text = json(principal, resource, fields);
            assert_eq!(summary(&decided(&text)), *expected, "{text}");
        }
    }

    fn identity(statements: &str) -> String {
        format!(r#", "identity_policies": [{{"Version": "2012-10-17", "Statement": [{statements}]}}]"#)
    }

    fn boundary(statements: &str) -> String {
        format!(r#", "permissions_boundary": {{"Statement": [{statements}]}}"#)
    }

    fn session(statements: &str) -> String {
        format!(r#", "session_policy": {{"Statement": [{statements}]}}"#)
    }

    fn resource(statements: &str) -> String {
        format!(r#", "resource_policy": {{"Statement": [{statements}]}}"#)
    }

    fn endpoint(statements: &str) -> String {
        format!(r#", "endpoint_policies": [{{"Statement": [{statements}]}}]"#)
    }

    fn scps(levels: &[&str]) -> String {
        let levels: Vec<_> = levels.iter().map(|level| format!(r#"[{{"Statement": [{level}]}}]"#)).collect();
        format!(r#", "service_control_policies": [{}]"#, levels.join(","))
    }

    fn rcps(statements: &str) -> String {
        format!(r#", "resource_control_policies": [[{{"Statement": [{statements}]}}]]"#)
    }

    /// A statement of a resource policy that allows a pull to an AWS principal.
    fn trusting(principal: &str) -> String {
        resource(&format!(
            r#"{{"Effect": "Allow", "Action": "ecr:BatchGetImage", "Principal": {{"AWS": "{principal}"}}}}"#
        ))
    }

    fn denying(principal: &str) -> String {
        resource(&format!(r#"{{"Effect": "Deny", "Action": "ecr:*", "Principal": {principal}}}"#))
    }

    /// "Policy evaluation for requests within a single account".
    #[test]
    fn within_one_account_identity_or_resource_policy_suffices() {
        check(&[
            (NODE, HERE, String::new(), "implicit_deny identity"),
            (NODE, HERE, identity("PULL"), "allowed"),
            (SESSION, HERE, identity("PULL"), "allowed"),
            (NODE, HERE, identity("OTHER"), "implicit_deny identity"),
            (NODE, HERE, trusting(NODE), "allowed"),
            (SESSION, HERE, trusting(NODE), "allowed"),
            (SESSION, HERE, trusting(SESSION), "allowed"),
            (NODE, HERE, trusting(SESSION), "implicit_deny identity"),
            (USER, HERE, trusting(USER), "allowed"),
            (NODE, HERE, trusting("*"), "allowed"),
            // The account hands the decision to its own identity policies.
            (NODE, HERE, trusting("111122223333"), "implicit_deny identity"),
            (NODE, HERE, identity("PULL") + &trusting("111122223333"), "allowed"),
            (NODE, HERE, identity("OTHER") + &trusting(USER), "implicit_deny identity"),
            // Explicit denies win anywhere.
            (NODE, HERE, identity("PULL, DENY"), "explicit_deny identity"),
            (NODE, HERE, identity("DENY") + &trusting(NODE), "explicit_deny identity"),
            (NODE, HERE, identity("PULL") + &denying("\"*\""), "explicit_deny resource"),
            (NODE, HERE, identity("PULL") + &denying(r#"{"AWS": "111122223333"}"#), "explicit_deny resource"),
            (NODE, HERE, identity("PULL") + &denying(r#"{"AWS": "444455556666"}"#), "allowed"),
            (
                SESSION,
                HERE,
                identity("PULL") + &denying(&format!(r#"{{"AWS": "{NODE}"}}"#)),
                "explicit_deny resource",
            ),
            (NODE, HERE, identity("OTHER") + &denying("\"*\""), "explicit_deny identity,resource"),
        ]);
    }

    /// "Permissions boundaries for IAM entities", "Session policies".
    #[test]
    fn what_boundary_and_session_policy_limit() {
        let (no_boundary, no_session) = (boundary("OTHER"), session("OTHER"));
        check(&[
            (NODE, HERE, identity("PULL") + &boundary("ALL"), "allowed"),
            (NODE, HERE, boundary("ALL"), "implicit_deny identity"),
            (NODE, HERE, identity("PULL") + &no_boundary, "implicit_deny boundary"),
            (NODE, HERE, no_boundary.clone(), "implicit_deny identity,boundary"),
            (NODE, HERE, identity("PULL") + &boundary("ALL, DENY"), "explicit_deny boundary"),
            // The role is limited, the session, the user and everyone are not.
            (NODE, HERE, trusting(NODE) + &no_boundary, "implicit_deny boundary"),
            (SESSION, HERE, trusting(NODE) + &no_boundary, "implicit_deny boundary"),
            (SESSION, HERE, trusting(SESSION) + &no_boundary, "allowed"),
            (USER, HERE, trusting(USER) + &no_boundary, "allowed"),
            (SESSION, HERE, trusting("*") + &no_boundary, "allowed"),
            (NODE, HERE, trusting("*") + &no_boundary, "allowed"),
            (SESSION, HERE, trusting(SESSION) + &boundary("ALL, DENY"), "explicit_deny boundary"),
            (SESSION, HERE, identity("PULL") + &session("PULL"), "allowed"),
            (SESSION, HERE, identity("PULL") + &no_session, "implicit_deny session"),
            (SESSION, HERE, session("PULL"), "implicit_deny identity"),
            (SESSION, HERE, trusting(NODE) + &no_session, "implicit_deny session"),
            (SESSION, HERE, trusting(SESSION) + &no_session, "allowed"),
            (SESSION, HERE, trusting("*") + &no_session, "allowed"),
            (SESSION, HERE, trusting(SESSION) + &session("ALL, DENY"), "explicit_deny session"),
            (SESSION, HERE, trusting(NODE) + &no_session + &no_boundary, "implicit_deny boundary,session"),
            // Federated users have nothing without a session policy.
            (FEDERATED, HERE, identity("PULL"), "implicit_deny session"),
            (FEDERATED, HERE, identity("PULL") + &session("PULL"), "allowed"),
            (FEDERATED, HERE, trusting(FEDERATED), "allowed"),
            (FEDERATED, HERE, trusting(FEDERATED) + &no_session, "allowed"),
            (FEDERATED, HERE, trusting(USER) + &no_session, "implicit_deny session"),
            (FEDERATED, HERE, trusting(USER) + &session("PULL"), "allowed"),
        ]);
    }

    /// "Cross-account policy evaluation logic".
    #[test]
    fn across_accounts_both_sides_must_allow() {
        check(&[
            (NODE, THERE, String::new(), "implicit_deny identity,resource"),
            (NODE, THERE, identity("PULL"), "implicit_deny resource"),
            (NODE, THERE, trusting(NODE), "implicit_deny identity"),
            (NODE, THERE, identity("PULL") + &trusting(NODE), "allowed"),
            (SESSION, THERE, identity("PULL") + &trusting(NODE), "allowed"),
            (SESSION, THERE, identity("PULL") + &trusting("111122223333"), "allowed"),
            (SESSION, THERE, identity("PULL") + &trusting(ROOT), "allowed"),
            (SESSION, THERE, identity("PULL") + &trusting("*"), "allowed"),
            (SESSION, THERE, trusting("*"), "implicit_deny identity"),
            (SESSION, THERE, trusting(SESSION), "implicit_deny identity"),
            (SESSION, THERE, identity("PULL") + &trusting("444455556666"), "implicit_deny resource"),
            (
                SESSION,
                THERE,
                identity("PULL") + &trusting(SESSION) + &boundary("OTHER"),
                "implicit_deny boundary",
            ),
            (
                SESSION,
                THERE,
                identity("PULL") + &trusting(SESSION) + &session("OTHER"),
                "implicit_deny session",
            ),
            // Who owns the resource can be said.
            (NODE, "arn:aws:s3:::b", identity("PULL"), "allowed"),
            (
                NODE,
                "arn:aws:s3:::b",
                identity("PULL") + r#", "resource_account": "444455556666""#,
                "implicit_deny resource",
            ),
            (
                NODE,
                "arn:aws:s3:::b",
                identity("PULL") + r#", "context": {"AWS:resourceaccount": "444455556666"}"#,
                "implicit_deny resource",
            ),
            (NODE, "*", identity("PULL"), "allowed"),
        ]);
    }

    /// "SCP evaluation", "RCP evaluation", and VPC endpoint policies.
    #[test]
    fn guardrails() {
        let foreign = r#"{"Effect": "Deny", "Principal": "*", "Action": "ecr:*", "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:PrincipalAccount": "999999999999"}}}"#;
        let own = foreign.replace("999999999999", "111122223333");
        let for_role = |role: &str, effect: &str| {
            format!(
                r#"{{"Effect": "{effect}", "Principal": {{"AWS": "{role}"}}, "Action": "*", "Resource": "*"}}"#
            )
        };
        check(&[
            (NODE, HERE, identity("PULL") + &scps(&["ALL", "PULL", "ALL"]), "allowed"),
            (NODE, HERE, identity("PULL") + &scps(&["ALL", "OTHER", "ALL"]), "implicit_deny scp"),
            (NODE, HERE, identity("PULL") + &scps(&["ALL", "ALL, DENY"]), "explicit_deny scp"),
            (NODE, HERE, identity("PULL") + r#", "service_control_policies": [[]]"#, "implicit_deny scp"),
            (NODE, HERE, identity("PULL") + r#", "service_control_policies": []"#, "allowed"),
            (NODE, HERE, scps(&["OTHER"]), "implicit_deny identity,scp"),
            (SESSION, HERE, trusting(SESSION) + &scps(&["OTHER"]), "implicit_deny scp"),
            (NODE, HERE, identity("PULL") + r#", "resource_control_policies": [[], []]"#, "allowed"),
            (NODE, HERE, identity("PULL") + &rcps(foreign), "explicit_deny rcp"),
            (NODE, HERE, identity("PULL") + &rcps(&own), "allowed"),
            (NODE, HERE, identity("PULL") + &endpoint("PULL"), "allowed"),
            (NODE, HERE, identity("PULL") + &endpoint("OTHER"), "implicit_deny endpoint"),
            (NODE, HERE, identity("PULL") + &endpoint("ALL, DENY"), "explicit_deny endpoint"),
            (NODE, HERE, identity("PULL") + r#", "endpoint_policies": []"#, "allowed"),
            (NODE, HERE, identity("PULL") + &endpoint(""), "implicit_deny endpoint"),
            // Endpoint policies name principals; the account means everybody in it.
            (SESSION, HERE, identity("PULL") + &endpoint(&for_role(NODE, "Allow")), "allowed"),
            (SESSION, HERE, identity("PULL") + &endpoint(&for_role(ROOT, "Allow")), "allowed"),
            (SESSION, HERE, identity("PULL") + &endpoint(&for_role(USER, "Allow")), "implicit_deny endpoint"),
            (
                SESSION,
                HERE,
                identity("PULL")
                    + &scps(&["OTHER"])
                    + &rcps(foreign)
                    + &endpoint("DENY")
                    + &boundary("OTHER"),
                "explicit_deny boundary,endpoint,scp,rcp",
            ),
        ]);
    }

    #[test]
    fn principals_that_guardrails_do_not_bind() {
        let linked = "arn:aws:iam::111122223333:role/aws-service-role/ecr.amazonaws.com/AWSServiceRoleForECR";
        let service =
            resource(r#"{"Effect": "Allow", "Action": "*", "Principal": {"Service": "eks.amazonaws.com"}}"#);
        check(&[
            (linked, HERE, identity("PULL") + &scps(&["DENY"]) + &rcps("DENY"), "allowed"),
            ("eks.amazonaws.com", HERE, service.clone() + &scps(&["DENY"]), "allowed"),
            ("eks.amazonaws.com", HERE, service.clone() + &rcps("DENY"), "explicit_deny rcp"),
            ("eks.amazonaws.com", HERE, identity("PULL"), "implicit_deny resource"),
            ("ec2.amazonaws.com", HERE, service, "implicit_deny resource"),
            ("*", HERE, trusting("*") + &scps(&["DENY"]), "allowed"),
            ("*", HERE, trusting("*") + &rcps("DENY"), "explicit_deny rcp"),
            ("*", HERE, trusting("111122223333"), "implicit_deny resource"),
            ("*", HERE, identity("PULL"), "implicit_deny resource"),
            ("*", HERE, trusting("*") + &endpoint("OTHER"), "implicit_deny endpoint"),
            // "… with the exception of the AWS account root user, which has full access."
            (ROOT, HERE, String::new(), "allowed"),
            (ROOT, HERE, boundary("OTHER"), "allowed"),
            (ROOT, HERE, scps(&["OTHER"]), "implicit_deny scp"),
            (ROOT, HERE, denying("\"*\""), "explicit_deny resource"),
            (ROOT, THERE, String::new(), "implicit_deny resource"),
            (ROOT, THERE, trusting("111122223333"), "allowed"),
        ]);
    }

    /// "AWS JSON policy elements: NotPrincipal".
    #[test]
    fn not_principal() {
        let deny_all_but = |principals: &str| {
            let statement =
                format!(r#"{{"Effect": "Deny", "Action": "*", "NotPrincipal": {{"AWS": [{principals}]}}}}"#);
            identity("PULL") + &resource(&statement)
        };
        let quoted = |principals: &[&str]| {
            principals.iter().map(|principal| format!("\"{principal}\"")).collect::<Vec<_>>().join(",")
        };
        let other_session = "arn:aws:sts::111122223333:assumed-role/node/i-2";
        check(&[
            (USER, HERE, deny_all_but(&quoted(&[USER, ROOT])), "allowed"),
            (USER, HERE, deny_all_but(&quoted(&[USER])), "allowed"),
            (USER, HERE, deny_all_but(&quoted(&[ROOT])), "allowed"),
            (USER, HERE, deny_all_but(&quoted(&[NODE])), "explicit_deny resource"),
            (SESSION, HERE, deny_all_but(&quoted(&[SESSION, NODE, ROOT])), "allowed"),
            (SESSION, HERE, deny_all_but(&quoted(&[NODE])), "allowed"),
            (SESSION, HERE, deny_all_but(&quoted(&[other_session])), "explicit_deny resource"),
            (NODE, HERE, deny_all_but(&quoted(&[SESSION])), "explicit_deny resource"),
            (NODE, HERE, deny_all_but(&quoted(&["AROAEXAMPLEID"])), "explicit_deny resource"),
            (NODE, HERE, deny_all_but(&quoted(&["*"])), "allowed"),
            ("eks.amazonaws.com", HERE, deny_all_but(&quoted(&[NODE])), "explicit_deny resource"),
            // With a boundary it always denies.
            (NODE, HERE, deny_all_but(&quoted(&[NODE, ROOT])) + &boundary("ALL"), "explicit_deny resource"),
            (
                NODE,
                HERE,
                resource(&format!(
                    r#"{{"Effect": "Allow", "Action": "*", "NotPrincipal": {{"AWS": "{USER}"}}}}"#
                )),
                "allowed",
            ),
        ]);
    }

    #[test]
    fn principals_of_other_policies() {
        let without = r#"{"Effect": "Deny", "Action": "*", "Resource": "*"}"#;
        let with =
            r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": {"AWS": "999999999999"}}"#;
        check(&[
            (NODE, HERE, identity("PULL") + &resource(without), "allowed"),
            (NODE, HERE, identity(with), "allowed"),
            (NODE, HERE, identity("PULL") + &scps(&[with]), "allowed"),
            (NODE, HERE, identity("PULL") + &endpoint(with), "implicit_deny endpoint"),
        ]);
    }

    fn of(action: &str, principal: &str, target: &str, fields: &str) -> String {
        let text = json(principal, target, fields);
        text.replacen("ecr:BatchGetImage", action, 1)
    }

    /// Trust policies and key policies must allow, even within one account.
    #[test]
    fn trust_and_key_policies() {
        let role = "arn:aws:iam::111122223333:role/target";
        let key = "arn:aws:kms:eu-west-1:111122223333:key/1234";
        let alias = "arn:aws:kms:eu-west-1:111122223333:alias/aws/ecr";
        let all = identity("ALL");
        let policy = |principal: &str| {
            resource(&format!(r#"{{"Effect": "Allow", "Action": "*", "Principal": {principal}}}"#))
        };
        let (to_node, to_root) = (format!(r#"{{"AWS": "{NODE}"}}"#), format!(r#"{{"AWS": "{ROOT}"}}"#));
        for (action, principal, target, fields, expected) in [
            ("sts:AssumeRole", NODE, role, all.clone(), "implicit_deny resource"),
            ("sts:AssumeRole", NODE, role, policy(&to_node), "allowed"),
            ("sts:AssumeRole", NODE, role, policy(&to_root), "implicit_deny identity"),
            ("sts:AssumeRole", NODE, role, all.clone() + &policy(&to_root), "allowed"),
            (
                "sts:AssumeRole",
                NODE,
                role,
                all.clone() + &policy(r#"{"Service": "ec2.amazonaws.com"}"#),
                "implicit_deny resource",
            ),
            (
                "sts:AssumeRole",
                "ec2.amazonaws.com",
                role,
                policy(r#"{"Service": "ec2.amazonaws.com"}"#),
                "allowed",
            ),
            (
                "sts:AssumeRole",
                "ecs.amazonaws.com",
                role,
                policy(r#"{"Service": "ec2.amazonaws.com"}"#),
                "implicit_deny resource",
            ),
            ("sts:AssumeRole", NODE, role, policy(r#"{"AWS": "AROAEXAMPLEID"}"#), "implicit_deny resource"),
            (
                "sts:AssumeRole",
                NODE,
                role,
                policy(r#"{"AWS": "AROAEXAMPLEID"}"#) + r#", "context": {"aws:userid": "AROAEXAMPLEID:i-1"}"#,
                "allowed",
            ),
            ("sts:GetSessionToken", USER, "*", all.clone(), "allowed"),
            ("sts:GetFederationToken", USER, "arn:aws:iam::111122223333:user/x", all.clone(), "allowed"),
            ("sts:Other", USER, "arn:aws:sts::111122223333:role/x", all.clone(), "allowed"),
            ("sts:GetCallerIdentity", NODE, "*", identity("DENY") + &scps(&["OTHER"]), "allowed"),
            ("sts:GetCallerIdentity", "*", "*", String::new(), "implicit_deny resource"),
            ("kms:Decrypt", NODE, key, all.clone(), "implicit_deny resource"),
            ("kms:Decrypt", NODE, key, policy(&to_node), "allowed"),
            ("kms:Decrypt", NODE, key, all.clone() + &policy(&to_root), "allowed"),
            ("kms:Decrypt", NODE, key, policy(&to_root), "implicit_deny identity"),
            ("kms:Decrypt", ROOT, key, String::new(), "implicit_deny resource"),
            ("kms:Decrypt", ROOT, key, policy(&to_root), "allowed"),
            ("kms:ListKeys", NODE, "*", all.clone(), "allowed"),
            ("kms:UpdateAlias", NODE, alias, all.clone(), "implicit_deny resource"),
            ("kms:ListAliases", NODE, alias, all.clone(), "allowed"),
            ("iam:DeletePolicy", NODE, "arn:aws:iam::aws:policy/X", all.clone(), "implicit_deny resource"),
            ("iam:GetPolicy", NODE, "arn:aws:iam::aws:policy/X", all.clone(), "allowed"),
            (
                "iam:DeleteRole",
                NODE,
                "arn:aws:iam::111122223333:role/aws-reserved/x/y",
                all.clone(),
                "implicit_deny resource",
            ),
            ("iam:DeleteRole", NODE, "arn:aws:iam::111122223333:role/x/y", all, "allowed"),
        ] {
            let text = of(action, principal, target, &fields);
            assert_eq!(summary(&decided(&text)), expected, "{text}");
        }
    }

    #[test]
    fn actions_have_no_case_and_stay_within_their_service() {
        for (pattern, action, expected) in [
            ("ecr:batchgetimage", "ecr:BatchGetImage", true),
            ("ECR:*", "ecr:BatchGetImage", true),
            ("ecr:Batch*", "ECR:BATCHGETIMAGE", true),
            ("ecr:BatchGetImag?", "ecr:BatchGetImage", true),
            ("ecr:*Image*", "ecr:BatchGetImage", true),
            ("ecr:Get*", "ecr:BatchGetImage", false),
            ("ecr-public:*", "ecr:BatchGetImage", false),
            ("ecr:BatchGetImage ", "ecr:BatchGetImage", false),
            ("ecr:", "ecr:BatchGetImage", false),
            ("*", "ecr:BatchGetImage", true),
        ] {
            let statement = |element: &str| {
                identity(&format!(r#"{{"Effect": "Allow", "{element}": "{pattern}", "Resource": "*"}}"#))
            };
            let allowed = |element: &str| {
                decided(&of(action, NODE, "*", &statement(element))).outcome == Outcome::Allowed
            };
            assert_eq!(
                (allowed("Action"), allowed("NotAction")),
                (expected, !expected),
                "{pattern} {action}"
            );
        }
    }

    #[test]
    fn not_resource() {
        for (listed, expected) in [("arn:aws:ecr:*:*:repository/other", true), (HERE, false), ("*", false)] {
            let statement = format!(r#"{{"Effect": "Allow", "Action": "*", "NotResource": "{listed}"}}"#);
            let allowed = decided(&json(NODE, HERE, &identity(&statement))).outcome == Outcome::Allowed;
            assert_eq!(allowed, expected, "{listed}");
        }
    }

    fn explained(text: &str, expected: Expect) {
        let text = serde_json::to_string_pretty(&decided(text)).unwrap();
        expected.assert_eq(&text);
    }

    #[test]
    fn what_is_said() {
        explained(
            &json(
                NODE,
                HERE,
                &format!(
                    r#", "identity_policies": [{{"name": "pull", "document": {{"Statement": [
                        {{"Sid": "Other", "Effect": "Allow", "Action": "ecr:*", "Resource": "arn:aws:ecr:*:*:repository/app-*"}},
                        {{"Effect": "Allow", "Action": ["ecr:Get*", "s3:*"], "Resource": "*"}},
                        {{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}},
                        {{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {{"StringEquals": {{"aws:SourceVpce": "vpce-1"}}}}}}
                    ]}}}}] {}"#,
                    trusting("AROAEXAMPLEID")
                ),
            ),
            expect![[r#"
                {
                  "decision": "implicit_deny",
                  "blocked_by": [
                    "identity"
                  ],
                  "deciding": [],
                  "near_misses": [
                    {
                      "policy_type": "identity",
                      "policy": "pull",
                      "statement": 0,
                      "sid": "Other",
                      "effect": "Allow",
                      "element": "Resource",
                      "because": "resource does not match: the statement has `arn:aws:ecr:*:*:repository/app-*`, the request is for `arn:aws:ecr:eu-west-1:111122223333:repository/app`"
                    },
                    {
                      "policy_type": "identity",
                      "policy": "pull",
                      "statement": 1,
                      "sid": null,
                      "effect": "Allow",
                      "element": "Action",
                      "because": "action does not match: the statement has `ecr:Get*`, `s3:*`, the request is `ecr:BatchGetImage`"
                    },
                    {
                      "policy_type": "identity",
                      "policy": "pull",
                      "statement": 3,
                      "sid": null,
                      "effect": "Allow",
                      "element": "Condition",
                      "because": "condition does not match: StringEquals aws:SourceVpce wants `vpce-1`, the request does not have this key"
                    },
                    {
                      "policy_type": "resource",
                      "policy": "resource_policy",
                      "statement": 0,
                      "sid": null,
                      "effect": "Allow",
                      "element": "Principal",
                      "because": "principal does not match: the statement has `AROAEXAMPLEID`, the request is from `arn:aws:iam::111122223333:role/team/node`; a unique id is what is left of a principal that was deleted, even if one of that name exists again"
                    }
                  ]
                }"#]],
        );
        explained(
            &json(NODE, HERE, &(identity("PULL") + &scps(&["ALL", "PULL"]))),
            expect![[r#"
            {
              "decision": "allowed",
              "blocked_by": [],
              "deciding": [
                {
                  "policy_type": "identity",
                  "policy": "identity_policies/0",
                  "statement": 0,
                  "sid": null,
                  "effect": "Allow"
                },
                {
                  "policy_type": "scp",
                  "policy": "service_control_policies/0/0",
                  "level": 0,
                  "statement": 0,
                  "sid": null,
                  "effect": "Allow"
                },
                {
                  "policy_type": "scp",
                  "policy": "service_control_policies/1/0",
                  "level": 1,
                  "statement": 0,
                  "sid": null,
                  "effect": "Allow"
                }
              ],
              "near_misses": []
            }"#]],
        );
        explained(
            &json(NODE, HERE, &(identity("PULL, DENY") + &endpoint("OTHER"))),
            expect![[r#"
            {
              "decision": "explicit_deny",
              "blocked_by": [
                "identity",
                "endpoint"
              ],
              "deciding": [
                {
                  "policy_type": "identity",
                  "policy": "identity_policies/0",
                  "statement": 1,
                  "sid": null,
                  "effect": "Deny"
                }
              ],
              "near_misses": [
                {
                  "policy_type": "endpoint",
                  "policy": "endpoint_policies/0",
                  "statement": 0,
                  "sid": null,
                  "effect": "Allow",
                  "element": "Action",
                  "because": "action does not match: the statement has `ecr:ListImages`, the request is `ecr:BatchGetImage`"
                }
              ]
            }"#]],
        );
    }

    fn weighed(text: &str, unknown: &[&str], unread: &[Layer]) -> String {
        let file = RequestFile::parse(text).unwrap();
        let question = &file.questions()[0];
        let knowledge = Knowledge {
            unknown: unknown.iter().map(|key| (*key).to_owned()).collect(),
            absent: BTreeSet::from(["aws:absent".to_owned()]),
            unread: unread.iter().copied().collect(),
        };
        match weigh(&question.request, &question.policies, &knowledge) {
            Weighed::Allowed(decision) | Weighed::Denied(decision) => summary(&decision),
            Weighed::DependsOn(doubt) => {
                let keys: Vec<_> = doubt.keys.iter().map(String::as_str).collect();
                let unread: Vec<_> = doubt.unread.iter().map(|layer| layer.as_str()).collect();
                let on = [keys, unread].concat().join(",");
                format!("depends on {on}: {} or {}", summary(&doubt.at_best), summary(&doubt.at_worst))
            }
        }
    }

    #[test]
    fn what_depends_on_what() {
        let only_if = |effect: &str, key: &str| {
            format!(
                r#"{{"Effect": "{effect}", "Action": "*", "Resource": "*", "Condition": {{"StringEquals": {{"{key}": "x"}}}}}}"#
            )
        };
        let tagged = r#"{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:ecr:*:*:repository/${aws:PrincipalTag/team}"}"#;
        let known = r#", "context": {"aws:SourceIp": "y"}"#;
        let every: &[&str] = &["*"];
        for (fields, unknown, expected) in [
            (identity("PULL"), every, "allowed"),
            (identity("OTHER"), every, "implicit_deny identity"),
            (
                identity(&only_if("Allow", "aws:SourceIp")),
                every,
                "depends on aws:sourceip: allowed or implicit_deny identity",
            ),
            (identity(&only_if("Allow", "aws:SourceIp")), &["aws:SourceVpc"], "implicit_deny identity"),
            (identity(&only_if("Allow", "aws:SourceIp")) + known, every, "implicit_deny identity"),
            (identity(&only_if("Allow", "aws:Absent")), every, "implicit_deny identity"),
            (identity(&only_if("Allow", "aws:PrincipalAccount")), every, "implicit_deny identity"),
            (
                identity("PULL") + &scps(&["ALL", &format!("ALL, {}", only_if("Deny", "aws:SourceVpc"))]),
                every,
                "depends on aws:sourcevpc: allowed or explicit_deny scp",
            ),
            // Of two variables only the unknown one is named.
            (
                identity(&tagged.replace("team}", "team}/${aws:PrincipalTag/app}"))
                    + r#", "context": {"aws:PrincipalTag/team": "app"}"#,
                every,
                "depends on aws:principaltag/app: allowed or implicit_deny identity",
            ),
            // What is settled without the unknown is not said to depend on it.
            (identity(&format!("PULL, {}", only_if("Allow", "aws:SourceIp"))), every, "allowed"),
            (
                identity(&format!("DENY, {}", only_if("Allow", "aws:SourceIp"))),
                every,
                "explicit_deny identity",
            ),
            (
                identity(&format!("PULL, {}", only_if("Allow", "aws:SourceIp")))
                    + &endpoint(&only_if("Allow", "aws:SourceVpce")),
                every,
                "depends on aws:sourcevpce: allowed or implicit_deny endpoint",
            ),
            (
                identity(tagged),
                &["aws:PrincipalTag/*"],
                "depends on aws:principaltag/team: allowed or implicit_deny identity",
            ),
            (
                identity("PULL") + &trusting(NODE) + &boundary(&only_if("Allow", "aws:SourceIp")),
                every,
                "depends on aws:sourceip: allowed or implicit_deny boundary",
            ),
        ] {
            assert_eq!(weighed(&json(NODE, HERE, &fields), unknown, &[]), expected, "{fields}");
        }
    }

    #[test]
    fn layers_that_could_not_be_read() {
        for (principal, resource, fields, unread, expected) in [
            (NODE, HERE, identity("PULL"), Layer::Scp, "depends on scp: allowed or explicit_deny scp"),
            (NODE, HERE, identity("DENY"), Layer::Scp, "explicit_deny identity"),
            (NODE, HERE, identity("OTHER"), Layer::Scp, "implicit_deny identity"),
            (
                NODE,
                HERE,
                String::new(),
                Layer::Identity,
                "depends on identity: allowed or explicit_deny identity",
            ),
            (NODE, THERE, String::new(), Layer::Identity, "implicit_deny resource"),
            (
                NODE,
                THERE,
                identity("PULL"),
                Layer::Resource,
                "depends on resource: allowed or explicit_deny resource",
            ),
            (
                NODE,
                HERE,
                identity("PULL"),
                Layer::Boundary,
                "depends on boundary: allowed or explicit_deny boundary",
            ),
            (
                NODE,
                HERE,
                identity("PULL"),
                Layer::Session,
                "depends on session: allowed or explicit_deny session",
            ),
            (
                NODE,
                HERE,
                identity("PULL"),
                Layer::Endpoint,
                "depends on endpoint: allowed or explicit_deny endpoint",
            ),
            (NODE, HERE, identity("PULL"), Layer::Rcp, "depends on rcp: allowed or explicit_deny rcp"),
            (ROOT, HERE, String::new(), Layer::Identity, "allowed"),
            ("*", HERE, trusting("*"), Layer::Scp, "allowed"),
        ] {
            assert_eq!(
                weighed(&json(principal, resource, &fields), &[], &[unread]),
                expected,
                "{fields} {unread:?}"
            );
        }
    }

    /// A role that an `Allow` merely does not exclude is limited as one that it names.
    #[test]
    fn not_principal_with_allow_and_a_boundary() {
        let all_but = resource(&format!(
            r#"{{"Effect": "Allow", "Action": "*", "NotPrincipal": {{"AWS": "{FEDERATED}"}}}}"#
        ));
        check(&[
            (NODE, HERE, all_but.clone() + &boundary("OTHER"), "implicit_deny boundary"),
            (NODE, HERE, all_but.clone() + &boundary("PULL"), "allowed"),
            (SESSION, HERE, all_but + &boundary("OTHER"), "allowed"),
        ]);
    }

    /// Only what is certain is said to have decided what is certain.
    #[test]
    fn what_decides_a_certainty() {
        let doubtful = r#"{"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"Null": {"aws:SourceVpc": "true"}}}"#;
        let file = RequestFile::parse(&json(NODE, HERE, &identity(&format!("{doubtful}, PULL")))).unwrap();
        let question = &file.questions()[0];
        let knowledge = Knowledge { unknown: BTreeSet::from(["*".to_owned()]), ..Knowledge::default() };
        let Weighed::Allowed(decision) = weigh(&question.request, &question.policies, &knowledge) else {
            panic!("not certain");
        };
        assert_eq!(decision.deciding.iter().map(|deciding| deciding.statement).collect::<Vec<_>>(), [1]);
    }

    /// A layer that allows has no near misses: another statement of it would change nothing.
    #[test]
    fn near_misses_are_of_layers_that_do_not_allow() {
        let nearly = r#"{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:ecr:*:*:repository/other"}"#;
        let denied = format!(
            r#"{{"Effect": "Deny", "Action": "*", "Resource": "arn:aws:ecr:*:*:repository/other"}}, {nearly}"#
        );
        let near = |fields: String| {
            let misses = decided(&json(NODE, HERE, &fields)).near_misses;
            misses
                .iter()
                .map(|near| format!("{} {}", near.policy_type.as_str(), near.statement))
                .collect::<Vec<_>>()
        };
        assert_eq!(near(identity(&format!("PULL, {nearly}")) + &scps(&["ALL", nearly])), ["scp 0"]);
        assert_eq!(near(identity(&denied)), ["identity 1"]);
        assert_eq!(near(identity(&format!("PULL, {denied}"))), ["identity 1", "identity 2"]);
        assert_eq!(near(identity("PULL, DENY") + &rcps(nearly)), Vec::<String>::new());
    }

    #[test]
    fn principals_that_nearly_match_are_explained() {
        let because = |principals: &str| {
            let statement =
                format!(r#"{{"Effect": "Allow", "Action": "*", "Principal": {{"AWS": [{principals}]}}}}"#);
            decided(&json(NODE, HERE, &resource(&statement))).near_misses[0].because.clone()
        };
        let wildcard = because(&format!(r#""{USER}", "arn:aws:iam::111122223333:role/*""#));
        assert!(
            wildcard.ends_with(
                "a wildcard has no meaning within a principal, use aws:PrincipalArn in a condition"
            )
        );
        assert!(!because(&format!("\"{USER}\"")).contains(';'));
        assert!(because(&format!(r#""{USER}", "AROAEXAMPLEID""#)).contains("a principal that was deleted"));
    }
}
