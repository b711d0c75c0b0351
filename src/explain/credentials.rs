//! Whose credentials a pull went without, or was refused with. Registries do not say; the context does.

use super::message::Message;
use super::request::Target;
use super::said::Said;
use super::wrapping::{Puller, Runtime};

/// Whoever should have had credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The node: its role, by way of the credential plugin.
    Node,
    /// The Fargate profile: its pod execution role.
    Fargate,
    /// The pod or its service account: a pull secret.
    PullSecret,
    /// The runtime, which pulls the sandbox image by itself and has none.
    Runtime,
    /// The kubelet: its plugin is missing, or its cloud provider is off.
    Plugin,
    /// A mirror that the runtime was sent to.
    Mirror,
    /// The node, early: with Docker the kubelet pulls the sandbox image as the first of all, so the way to the API
    /// comes before the role.
    Api,
    /// The node, in vain: the registry speaks of authentication where it would speak of credentials.
    Throttled,
    /// The node, but its plugin is not asked for hosts of this form.
    Pattern,
    /// A login at ECR Public that nobody needs.
    Public,
    /// A registry that is not ECR's.
    Foreign,
}

/// Who went without credentials, and the part of the message that says that somebody did.
pub fn missing(message: &Message) -> Option<(Whose, &str)> {
    let said = message.no_credentials()?;
    let wrapping = &message.wrapping;
    let authentication =
        message.said(Said::NoCredentials).is_none() && message.said(Said::AuthenticationRequired).is_some();
    let whose = if !message.is_in_scope() {
        Whose::Foreign
    } else if message.is_public() {
        Whose::Public
    } else if message.runtime_pulls_alone() {
        Whose::Runtime
    } else if wrapping.sandbox {
        Whose::Api
    } else if message.asked_mirror() {
        Whose::Mirror
    } else if message.is_fargate() {
        Whose::Fargate
    } else if wrapping.puller == Puller::OldKubelet {
        Whose::Plugin
    } else if message.private_image().is_some_and(|(_, host)| host.dual_stack) {
        Whose::Pattern
    } else if authentication && wrapping.puller == Puller::Kubelet && wrapping.runtime == Runtime::Docker {
        Whose::Throttled
    } else if message.is_fragment() && message.lower.contains("pulling from host") {
        Whose::Mirror
    } else if message.shows_eks()
        || shows_account(message)
        || wrapping.runtime == Runtime::Docker
        || matches!(wrapping.puller, Puller::Builder | Puller::Ecs)
    {
        Whose::Node
    } else {
        Whose::PullSecret
    };
    Some((whose, said))
}

/// Whether the registry names an account in digits: a placeholder stands in texts about clusters of every kind.
fn shows_account(message: &Message) -> bool {
    let registry = message.image.as_ref().map(|image| image.registry.as_str()).unwrap_or_default();
    let account = registry.split('.').next().unwrap_or_default();
    !account.is_empty() && account.bytes().all(|b| b.is_ascii_digit())
}

/// Whose credentials were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The role of the node.
    Node,
    /// The pod execution role.
    Fargate,
    /// A role of another account than that of the repository.
    CrossAccount,
    /// A login that may be old: nothing says that a role was at work.
    Login,
    /// Any, for a name that Docker Hub does not have.
    LibraryPrefix,
    /// A login at ECR Public that nobody needs.
    Public,
}

/// Whose credentials a registry of ECR refused with a bare 403, and the part of the message that says so.
pub fn refused(message: &Message) -> Option<(Refused, &str)> {
    let said = message
        .bare_forbidden()
        .or_else(|| message.bare_denial())
        .filter(|_| message.is_in_scope() && !message.asked_mirror())?;
    if message.is_public() {
        let of_content =
            message.requests.last().is_some_and(|request| request.host.ends_with(".cloudfront.net"));
        return (!of_content).then_some((Refused::Public, said));
    }
    if !matches!(message.target(), Some(Target::Registry) | None) {
        return None;
    }
    let docker_hub = |prefix: &str| prefix.contains("docker");
    let whose = match message.cached() {
        Some((prefix, rest)) if docker_hub(prefix) && !rest.contains('/') => Refused::LibraryPrefix,
        _ if message.other_account().is_some() && !message.is_of_aws() => Refused::CrossAccount,
        _ if message.is_fargate() => Refused::Fargate,
        _ if message.is_fragment() => Refused::Login,
        _ => Refused::Node,
    };
    Some((whose, said))
}
