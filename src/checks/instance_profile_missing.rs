//! # instance-profile-missing
//!
//! The node has no instance profile, or one without a role, so it has no AWS credentials at all.
//!
//! ## Why pulls fail
//! The credential plugin takes the credentials of the node from the instance metadata service. Without an
//! instance profile, or with one that holds no role, the service answers 404, the plugin fails, and the
//! kubelet pulls without credentials. ECR answers 401.
//!
//! ## How to see it
//! - Kubelet log: `no EC2 IMDS role found, operation error ec2imds: GetMetadata, http response error
//!   StatusCode: 404`.
//! - Pod event: only `no basic auth credentials` or `401 Unauthorized`.
//! - In AWS: `aws ec2 describe-instances --instance-ids ID` shows no `IamInstanceProfile`, or `aws iam
//!   get-instance-profile` answers `NoSuchEntity` or an empty `Roles`.
//! - Managed node groups report `IamInstanceProfileNotFound` or `IamNodeRoleNotFound` as a health issue.
//!
//! ## What the fix does
//! Gives the node the instance profile that the other nodes of its group have, or the only one that holds the
//! role of the group (`associate-instance-profile`). Where several could be meant, or none exists, the choice
//! is left to a person. The rollback takes the profile away again.
//!
//! It mends this node and not the next: put the profile into the launch template, or mend the role in the
//! node group, and replace the nodes. The plan names the owner of the node and says so.
//!
//! ## What is never automated
//! Without `--allow-profile-association` a node gets no profile: whoever manages the node replaces it. No
//! profile is made, none is replaced by another, and none is given to nodes of Karpenter or of EKS Auto Mode,
//! whose controllers own it.

use super::{Cause, Leg, Recognition, Remedy, Severity};
use crate::explain::{
    Message,
    credentials::{self, Whose},
    request::Target,
    said::Said,
};

pub(crate) const CAUSE: Cause = Cause {
    id: "instance-profile-missing",
    leg: Some(Leg::Credentials),
    severity: Severity::Critical,
    remedy: Remedy::Automatic,
    source: include_str!("instance_profile_missing.rs"),
    recognise,
};

fn recognise(message: &Message) -> Option<Recognition> {
    const META: &str = "the metadata service of the node knows no role";
    const NEXT: &str = "`aws ec2 describe-instances --instance-ids ID --query 'Reservations[].Instances[].IamInstanceProfile'`";
    if let Some(said) = message.said(Said::NoInstanceRole) {
        let answered = message.has_status(404).is_some();
        let refused = [401, 403, 405].iter().any(|code| message.has_status(*code).is_some());
        let unanswered =
            refused || message.connection.is_some() || message.target() == Some(Target::Metadata);
        return Some(match (answered, unanswered) {
            (true, _) => Recognition::certain(said, META, NEXT).weight(70),
            (false, false) => Recognition::likely(said, META, NEXT),
            (false, true) => Recognition::possible(said, META, NEXT),
        });
    }
    if let Some(said) = message.said(Said::NoProviders) {
        return Some(Recognition::likely(said, "no source of credentials answered on the node", NEXT));
    }
    let (whose, said) = credentials::missing(message)?;
    matches!(whose, Whose::Node | Whose::Api).then(|| {
        Recognition::possible(said, "a node without an instance profile sends no credentials", NEXT)
            .weight(30)
    })
}

#[test]
fn recognises_its_messages() {
    super::test_support::first(
        &CAUSE,
        "no EC2 IMDS role found, operation error ec2imds: GetMetadata, http response error StatusCode: 404, request to EC2 IMDS failed",
    );
}
