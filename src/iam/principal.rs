//! Who asks, and whether a `Principal` element means them.
//!
//! Sources: IAM user guide, "AWS JSON policy elements: Principal" and "… NotPrincipal".

/// The principal of a request, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller<'a> {
    /// As it stands in the request.
    pub text: &'a str,
    pub kind: Kind<'a>,
}

/// What kind of principal asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// `*`, or nothing: an unsigned request.
    Anonymous,
    /// `ec2.amazonaws.com`, or another name that is not an ARN (a web identity provider, a canonical user).
    Named,
    /// The ARN of a SAML or OpenID Connect provider, which exchanges its users' identity for a role.
    Provider,
    /// Somebody who belongs to an AWS account.
    Account { partition: &'a str, account: &'a str, who: Who<'a> },
}

/// Who in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who<'a> {
    Root,
    User {
        name: &'a str,
    },
    /// A role by its own ARN: any session of it.
    Role {
        path_and_name: &'a str,
    },
    Session {
        role: &'a str,
    },
    FederatedUser {
        name: &'a str,
    },
    /// Any other ARN.
    Other,
}

impl<'a> Caller<'a> {
    pub(super) fn new(text: &'a str) -> Caller<'a> {
        Caller { text, kind: Kind::of(text) }
    }

    pub(super) fn account(&self) -> Option<&'a str> {
        match self.kind {
            Kind::Account { account, .. } => Some(account),
            Kind::Anonymous | Kind::Named | Kind::Provider => None,
        }
    }

    pub(super) fn who(&self) -> Option<Who<'a>> {
        match self.kind {
            Kind::Account { who, .. } => Some(who),
            Kind::Anonymous | Kind::Named | Kind::Provider => None,
        }
    }

    pub(super) fn is_root(&self) -> bool {
        self.who() == Some(Who::Root)
    }

    /// A name of an AWS service, as opposed to one of an identity provider.
    pub(super) fn is_service(&self) -> bool {
        let suffixes =
            [".amazonaws.com", ".amazonaws.com.cn", ".amazon.com", ".amazonaws.eu", ".aws.internal"];
        self.kind == Kind::Named
            && suffixes.iter().any(|suffix| self.text.ends_with(suffix))
            && !matches!(self.text, "cognito-identity.amazonaws.com" | "www.amazon.com")
    }

    /// Service-linked roles are bound neither by SCPs nor by RCPs. The ARN of a session does not hold the
    /// path of its role, so there the prefix of the name decides, which AWS reserves.
    pub(super) fn is_service_linked(&self) -> bool {
        match self.who() {
            Some(Who::Role { path_and_name }) => path_and_name.starts_with("aws-service-role/"),
            Some(Who::Session { role }) => role.starts_with("AWSServiceRoleFor"),
            _ => false,
        }
    }

    /// The value of `aws:PrincipalArn`: for a session the ARN of its role.
    pub(super) fn principal_arn(&self) -> Option<String> {
        let Kind::Account { partition, account, who } = self.kind else { return None };
        Some(match who {
            Who::Session { role } => format!("arn:{partition}:iam::{account}:role/{role}"),
            _ => self.text.to_owned(),
        })
    }
}

impl<'a> Kind<'a> {
    fn of(text: &'a str) -> Kind<'a> {
        if text.is_empty() || text == "*" || text.eq_ignore_ascii_case("anonymous") {
            return Kind::Anonymous;
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, service, _, account, resource] = parts.as_slice() else { return Kind::Named };
        let who = match (*service, resource.split_once('/')) {
            ("iam", None) if *resource == "root" => Who::Root,
            ("iam", Some(("user", rest))) => Who::User { name: last_segment(rest) },
            ("iam", Some(("role", path_and_name))) => Who::Role { path_and_name },
            ("iam", Some(("saml-provider" | "oidc-provider", _))) => return Kind::Provider,
            ("sts", Some(("assumed-role", rest))) => {
                Who::Session { role: rest.split('/').next().unwrap_or_default() }
            }
            ("sts", Some(("federated-user", name))) => Who::FederatedUser { name },
            _ => Who::Other,
        };
        Kind::Account { partition, account, who }
    }
}

fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// One entry of a `Principal` or `NotPrincipal` element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// `"*"` or `{"AWS": "*"}`.
    Everyone,
    /// An account, by its number or by the ARN of its root.
    Account { partition: Option<String>, account: String },
    /// `AROA…`, `AIDA…`: what is left of a principal that was deleted.
    UniqueId(String),
    /// A user, a role or a session.
    Arn(String),
    /// `Service`, `Federated` or `CanonicalUser`.
    Named(String),
}

/// How an entry of a policy means the caller. The order is that of strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Claim {
    /// Not at all.
    None,
    /// By the account: authority goes to the account, whose own policies must allow too.
    Account,
    /// By the role of a session, or by the user behind a federated session.
    Role,
    /// By itself, or as everyone.
    Direct,
}

impl Entry {
    /// Reads an entry under the key `AWS`.
    pub(super) fn aws(text: &str) -> Entry {
        if !text.is_empty() && text.chars().all(|c| c == '*') {
            return Entry::Everyone;
        }
        if is_account(text) {
            return Entry::Account { partition: None, account: text.to_owned() };
        }
        if let Kind::Account { partition, account, who: Who::Root } = Kind::of(text) {
            return Entry::Account { partition: Some(partition.to_owned()), account: account.to_owned() };
        }
        let unique_id = text.len() > 4
            && text.starts_with('A')
            && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        if unique_id { Entry::UniqueId(text.to_owned()) } else { Entry::Arn(text.to_owned()) }
    }

    /// Whether a text may stand for `{"AWS": TEXT}`. The grammar has only `"*"` so, but not every service
    /// holds to it.
    pub(super) fn is_plain(text: &str) -> bool {
        text == "*" || is_account(text) || matches!(Kind::of(text), Kind::Account { .. })
    }

    /// How the entry means the caller. `user_id` is the value of `aws:userid`, where it is known.
    pub(super) fn claim(&self, caller: &Caller<'_>, user_id: Option<&str>) -> Claim {
        match (self, caller.kind) {
            (Entry::Everyone, _) => Claim::Direct,
            (Entry::Account { partition, account }, Kind::Account { partition: its, account: of, .. })
                if account == of && partition.as_deref().is_none_or(|partition| partition == its) =>
            {
                Claim::Account
            }
            (Entry::UniqueId(id), Kind::Account { .. }) => match user_id {
                Some(user_id) if user_id == id => Claim::Direct,
                Some(user_id) if user_id.split(':').next() == Some(id) => Claim::Role,
                _ => Claim::None,
            },
            (Entry::Arn(arn), Kind::Account { .. }) => claim_by_arn(arn, caller),
            (Entry::Named(name), Kind::Named | Kind::Provider) if name == caller.text => Claim::Direct,
            _ => Claim::None,
        }
    }
}

/// A role named by its ARN is limited by the boundary and the session policy of its sessions; a user, a
/// session and a federated user named by their own ARNs are not.
fn claim_by_arn(arn: &str, caller: &Caller<'_>) -> Claim {
    let Kind::Account { partition, account, who } = caller.kind else { return Claim::None };
    if arn == caller.text {
        return if matches!(who, Who::Role { .. }) { Claim::Role } else { Claim::Direct };
    }
    let Kind::Account { partition: its_partition, account: its_account, who: its } = Kind::of(arn) else {
        return Claim::None;
    };
    if (its_partition, its_account) != (partition, account) {
        return Claim::None;
    }
    let same = match (its, who) {
        (Who::Role { path_and_name }, Who::Session { role }) => {
            last_segment(path_and_name).eq_ignore_ascii_case(role)
        }
        (Who::User { name }, Who::FederatedUser { name: session }) => name == session,
        _ => false,
    };
    if same { Claim::Role } else { Claim::None }
}

/// Twelve digits.
pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/team/node";
    const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/node/i-1";
    const USER: &str = "arn:aws:iam::111122223333:user/ops/ann";
    const FEDERATED: &str = "arn:aws:sts::111122223333:federated-user/ann";
    const ROOT: &str = "arn:aws:iam::111122223333:root";

    #[test]
    fn how_an_entry_means_the_caller() {
        use Claim::{Account, Direct, None, Role};
        for (entry, caller, expected) in [
            ("*", SESSION, Direct),
            ("*", "*", Direct),
            ("*", "ec2.amazonaws.com", Direct),
            ("111122223333", SESSION, Account),
            ("111122223333", ROOT, Account),
            ("111122223333", "*", None),
            ("111122223333", "ec2.amazonaws.com", None),
            (ROOT, USER, Account),
            ("arn:aws-cn:iam::111122223333:root", USER, None),
            ("arn:aws:iam::444455556666:root", USER, None),
            (ROLE, ROLE, Role),
            (ROLE, SESSION, Role),
            ("arn:aws:iam::111122223333:role/node", SESSION, Role),
            ("arn:aws:iam::111122223333:role/node", ROLE, None),
            ("arn:aws:iam::444455556666:role/node", SESSION, None),
            ("arn:aws-cn:iam::111122223333:role/node", SESSION, None),
            ("arn:aws:iam::111122223333:role/other", SESSION, None),
            ("arn:aws:iam::111122223333:role/*", SESSION, None),
            (SESSION, SESSION, Direct),
            (SESSION, ROLE, None),
            ("arn:aws:sts::111122223333:assumed-role/node/i-2", SESSION, None),
            (USER, USER, Direct),
            ("arn:aws:iam::111122223333:user/ann", FEDERATED, Role),
            (FEDERATED, FEDERATED, Direct),
            ("AROAEXAMPLEID", SESSION, None),
        ] {
            assert_eq!(
                Entry::aws(entry).claim(&Caller::new(caller), Option::None),
                expected,
                "{entry} {caller}"
            );
        }
    }

    #[test]
    fn an_account_has_twelve_digits() {
        let account = |text: &str| matches!(Entry::aws(text), Entry::Account { .. });
        assert_eq!(
            ["111122223333", "11112222333", "11112222333x", "1111222233334"].map(account),
            [true, false, false, false]
        );
    }

    #[test]
    fn a_unique_id_means_whoever_still_has_it() {
        let stale = Entry::aws("AROAEXAMPLEID");
        assert_eq!(stale, Entry::UniqueId("AROAEXAMPLEID".to_owned()));
        assert_eq!(stale.claim(&Caller::new(SESSION), Some("AROAEXAMPLEID:i-1")), Claim::Role);
        assert_eq!(stale.claim(&Caller::new(SESSION), Some("AROAOTHER:i-1")), Claim::None);
        assert_eq!(Entry::aws("AROA"), Entry::Arn("AROA".to_owned()), "a prefix alone is no id");
        assert_eq!(Entry::aws("AIDAEXAMPLE").claim(&Caller::new(USER), Some("AIDAEXAMPLE")), Claim::Direct);
    }

    #[test]
    fn names_are_compared_as_they_are() {
        let entry = Entry::Named("ec2.amazonaws.com".to_owned());
        assert_eq!(entry.claim(&Caller::new("ec2.amazonaws.com"), None), Claim::Direct);
        assert_eq!(entry.claim(&Caller::new("ecs.amazonaws.com"), None), Claim::None);
        assert_eq!(entry.claim(&Caller::new(SESSION), None), Claim::None);
        let provider = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/A";
        assert_eq!(Entry::Named(provider.to_owned()).claim(&Caller::new(provider), None), Claim::Direct);
        assert!(Caller::new("ec2.amazonaws.com").is_service());
        assert!(!Caller::new("cognito-identity.amazonaws.com").is_service());
        assert!(!Caller::new("accounts.google.com").is_service());
    }

    #[test]
    fn service_linked_roles() {
        for (caller, expected) in [
            ("arn:aws:iam::111122223333:role/aws-service-role/ecr.amazonaws.com/AWSServiceRoleForECR", true),
            ("arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForECR/x", true),
            (ROLE, false),
            (USER, false),
        ] {
            assert_eq!(Caller::new(caller).is_service_linked(), expected, "{caller}");
        }
    }
}
