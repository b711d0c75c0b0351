//! A request, and the policies that may have a say in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::document::Document;

/// A kind of policy: each can stop a request by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// Attached to the user or role, or inline in it.
    Identity,
    /// Attached to what is asked for: repository, registry, bucket and key policies, trust policies.
    Resource,
    /// The permissions boundary of the user or role.
    Boundary,
    /// Passed when the session began.
    Session,
    /// Of the VPC endpoint that the request passes.
    Endpoint,
    /// Service control policies of the organization of the principal.
    Scp,
    /// Resource control policies of the organization of the resource.
    Rcp,
}

impl Layer {
    /// Every layer, in the order of every output.
    pub const ALL: [Layer; 7] = [
        Layer::Identity,
        Layer::Resource,
        Layer::Boundary,
        Layer::Session,
        Layer::Endpoint,
        Layer::Scp,
        Layer::Rcp,
    ];

    /// The name in every output.
    pub fn as_str(self) -> &'static str {
        match self {
            Layer::Identity => "identity",
            Layer::Resource => "resource",
            Layer::Boundary => "boundary",
            Layer::Session => "session",
            Layer::Endpoint => "endpoint",
            Layer::Scp => "scp",
            Layer::Rcp => "rcp",
        }
    }
}

/// One request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The ARN of a role, session, user, federated user or account root; the name of a service or of an
    /// identity provider; `*` for an unsigned request.
    pub principal: String,
    /// `ecr:BatchGetImage`
    pub action: String,
    /// An ARN, or `*` for actions that know no resources.
    pub resource: String,
    /// The owner of the resource. Default: the account in its ARN, then `aws:ResourceAccount`, then the
    /// account of the principal.
    pub resource_account: Option<String>,
    /// The context keys, in any case, each with its values. A key without values counts as missing.
    pub context: BTreeMap<String, Vec<String>>,
}

/// A policy with the name under which it is reported.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// A name, or an ARN with a version.
    pub name: Option<String>,
    /// Compiled once, shared by all requests.
    pub document: Arc<Document>,
}

impl Named {
    /// Gives a document a name.
    pub fn new(name: impl Into<String>, document: Document) -> Named {
        Named { name: Some(name.into()), document: Arc::new(document) }
    }
}

impl Policies {
    /// Whether a condition of any of them asks for a key that starts so, in lower case.
    pub fn asks_for(&self, start: &str) -> bool {
        let Policies { identity, boundary, session, resource, endpoint, service_control, resource_control } =
            self;
        let levels = service_control.iter().chain(resource_control).flatten();
        let mut all = identity.iter().chain(boundary).chain(session.iter().flatten()).chain(resource);
        all.any(|policy| policy.document.asks_for(start))
            || endpoint.iter().chain(levels).any(|policy| policy.document.asks_for(start))
    }
}

/// All policies that may have a say in a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policies {
    /// Of the user or role.
    pub identity: Vec<Named>,
    /// Of the user or role, if it has one.
    pub boundary: Option<Named>,
    /// `None` where none was passed; several act as one.
    pub session: Option<Vec<Named>>,
    /// Of what is asked for; empty where it has none. ECR judges by the policy of the repository together
    /// with that of the registry.
    pub resource: Vec<Named>,
    /// Of the one endpoint that the request passes; empty where it passes none.
    pub endpoint: Vec<Named>,
    /// Levels (root, organizational units, account), each of which must allow. Empty where none apply.
    pub service_control: Vec<Vec<Named>>,
    /// Levels, each of which may deny: AWS's own `RCPFullAWSAccess` is part of every level.
    pub resource_control: Vec<Vec<Named>>,
}
