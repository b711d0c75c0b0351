//! Accounts that belong to AWS and serve images: nobody outside AWS can change their repository policies.
//!
//! Source: EKS user guide, `add-ons-images` (December 2024), and the node image scripts of amazon-eks-ami
//! (March 2026). The accounts in [`OTHERS`] were seen in public charts and documents.

/// The registries of the images of EKS add-ons, and the regions that each serves.
pub const ADD_ON_REGISTRIES: [(&str, &[&str]); 30] = [
    (
        "602401143452",
        &[
            "us-east-1",
            "us-east-2",
            "us-west-1",
            "us-west-2",
            "ca-central-1",
            "sa-east-1",
            "eu-central-1",
            "eu-north-1",
            "eu-west-1",
            "eu-west-2",
            "eu-west-3",
            "ap-northeast-1",
            "ap-northeast-2",
            "ap-northeast-3",
            "ap-south-1",
            "ap-southeast-1",
            "ap-southeast-2",
        ],
    ),
    ("877085696533", &["af-south-1"]),
    ("800184023465", &["ap-east-1"]),
    ("533267051163", &["ap-east-2"]),
    ("900889452093", &["ap-south-2"]),
    ("296578399912", &["ap-southeast-3"]),
    ("491585149902", &["ap-southeast-4"]),
    ("151610086707", &["ap-southeast-5"]),
    ("333609536671", &["ap-southeast-6"]),
    ("121268973566", &["ap-southeast-7"]),
    ("761377655185", &["ca-west-1"]),
    ("900612956339", &["eu-central-2"]),
    ("590381155156", &["eu-south-1"]),
    ("455263428931", &["eu-south-2"]),
    ("066635153087", &["il-central-1"]),
    ("759879836304", &["me-central-1"]),
    ("558608220178", &["me-south-1"]),
    ("730335286997", &["mx-central-1"]),
    ("918309763551", &["cn-north-1"]),
    ("961992271922", &["cn-northwest-1"]),
    ("151742754352", &["us-gov-east-1"]),
    ("013241004608", &["us-gov-west-1"]),
    ("877088126301", &["eusc-de-east-1"]),
    ("725322719131", &["us-iso-east-1"]),
    ("608367168043", &["us-iso-west-1"]),
    ("187977181151", &["us-isob-east-1"]),
    ("321162350305", &["us-isob-west-1"]),
    ("249663109785", &["eu-isoe-west-1"]),
    ("676585237158", &["us-isof-south-1"]),
    ("171035529773", &["us-isof-east-1"]),
];

/// App Mesh, Deep Learning Containers, Bottlerocket, Marketplace.
const OTHERS: [&str; 4] = ["840364872350", "763104351884", "328549459982", "709825985650"];

/// Whether an account belongs to AWS. `false` only says that we do not know it as one.
pub fn is_aws_owned(account: &str) -> bool {
    is_add_on_registry(account) || OTHERS.contains(&account)
}

/// Whether an account serves the images of EKS add-ons.
pub fn is_add_on_registry(account: &str) -> bool {
    ADD_ON_REGISTRIES.iter().any(|(known, _)| *known == account)
}

/// The account that serves the images of EKS add-ons in a region.
pub fn add_on_account(region: &str) -> Option<&'static str> {
    ADD_ON_REGISTRIES.iter().find(|(_, regions)| regions.contains(&region)).map(|(account, _)| *account)
}

/// Whether a region exists, as far as the table of add-on registries goes: EKS is in all of them.
pub fn is_known_region(region: &str) -> bool {
    add_on_account(region).is_some()
}

#[test]
fn accounts_of_aws_are_known() {
    assert!(is_aws_owned("602401143452") && is_aws_owned("763104351884"));
    assert!(!is_aws_owned("111122223333") && !is_add_on_registry("763104351884"));
    assert_eq!(add_on_account("cn-north-1"), Some("918309763551"));
    assert!(!is_known_region("us-west-1a"));
}
