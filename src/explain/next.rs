//! What to check or run next, with the names of the message put in.

use super::message::Message;
use crate::model::ecr_host::is_account;
use crate::model::image_ref::{is_digest, is_tag};

/// Proves or refutes most of what a message leaves open.
pub const DIAGNOSE: &str = "run `ecr-fix diagnose --cluster NAME`: it judges every leg of the pull";

/// The one line of the kubelet's log that says why there were no credentials.
pub const KUBELET_LOG: &str =
    "on the node: `journalctl -u kubelet | grep -i credential`; it says why the credential plugin failed";

/// Asks IAM what the role may do.
pub fn simulate(message: &Message) -> String {
    let role = message
        .denial
        .as_ref()
        .and_then(|denial| denial.role())
        .filter(|role| is_plain(role))
        .unwrap_or("ROLE");
    format!(
        "`aws iam simulate-principal-policy --policy-source-arn $(aws iam get-role --role-name {role} --query Role.Arn \
         --output text) --action-names ecr:GetAuthorizationToken ecr:BatchGetImage ecr:GetDownloadUrlForLayer`"
    )
}

/// Asks ECR whether the image is there, archived images included.
pub fn describe_images(message: &Message) -> String {
    let image = message.image.as_ref();
    let id = match image.map(|image| (&image.tag, &image.digest)) {
        Some((_, Some(digest))) if is_digest(digest) => format!("imageDigest={digest}"),
        Some((Some(tag), _)) if is_tag(tag) => format!("imageTag={tag}"),
        _ => "imageTag=TAG".to_owned(),
    };
    format!(
        "`aws ecr describe-images{} --image-ids {id}`; again with `--filter imageStatus=ARCHIVED`",
        repository_flags(message)
    )
}

/// Lists the tags that are there.
pub fn list_images(message: &Message) -> String {
    format!("`aws ecr list-images{}`: which tags are there?", repository_flags(message))
}

/// Asks ECR whether the repository is there.
pub fn describe_repository(message: &Message) -> String {
    let flags = repository_flags(message).replace("--repository-name", "--repository-names");
    format!("`aws ecr describe-repositories{flags}`")
}

/// Reads the policy of the repository, which needs credentials of its account.
pub fn repository_policy(message: &Message) -> String {
    format!(
        "with credentials of the owner's account: `aws ecr get-repository-policy{}`",
        repository_flags(message)
    )
}

/// Which platforms an image has.
pub fn platforms(message: &Message) -> String {
    let image = message.image.as_ref().map(ToString::to_string).filter(|image| is_plain(image));
    format!(
        "`docker buildx imagetools inspect {}` lists the platforms; compare with `kubectl get nodes -L kubernetes.io/arch`",
        image.as_deref().unwrap_or("IMAGE")
    )
}

/// Follows the way of the packets.
pub fn trace(message: &Message) -> String {
    let host = message.failing_host().filter(|host| is_plain(host)).unwrap_or("HOST");
    format!("`ecr-fix trace --from NODE --to {host}:443` follows the way, hop by hop and back")
}

/// Lists the endpoints of the VPC for one service.
pub fn endpoints(message: &Message, service: &str) -> String {
    let region = message.region().unwrap_or("REGION".to_owned());
    format!(
        "`aws ec2 describe-vpc-endpoints --region {region} --filters Name=service-name,Values=com.amazonaws.{region}.{service}`"
    )
}

/// Asks the resolver of the node.
pub fn dig(message: &Message) -> String {
    let host = message.failing_host().filter(|host| is_plain(host)).unwrap_or("HOST");
    format!(
        "on the node: `dig +short {host}`, and `dig +short {host} @169.254.169.253` for the resolver of the VPC"
    )
}

fn repository_flags(message: &Message) -> String {
    let Some(image) = &message.image else { return " --repository-name NAME".to_owned() };
    let mut flags = String::new();
    if let Some(account) = image.account.as_deref().filter(|account| is_account(account)) {
        flags += &format!(" --registry-id {account}");
    }
    let repository = image.repository.as_deref().filter(|name| is_plain(name)).unwrap_or("NAME");
    flags += &format!(" --repository-name {repository}");
    if let Some(region) = image.region.as_deref().filter(|region| is_plain(region)) {
        flags += &format!(" --region {region}");
    }
    flags
}

/// Whether a shell reads the text as one word: names come from outside, and people paste commands.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/:@+=,".contains(&b))
}
