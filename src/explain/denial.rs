//! The sentence with which AWS refuses a call, and which policy it blames.
//!
//! Source: IAM user guide, "Troubleshoot access denied error messages".

use super::text::excerpt;
use crate::model::ecr_host::is_account;

/// The kind of policy that a denial blames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// A policy of the role or user itself.
    Identity,
    /// A repository or registry policy, or a trust policy.
    Resource,
    /// A permissions boundary.
    Boundary,
    /// A session policy.
    Session,
    /// A service control policy of the organization.
    ServiceControl,
    /// A resource control policy of the organization.
    ResourceControl,
    /// The policy of a VPC endpoint.
    Endpoint,
    /// The trust policy of a role.
    Trust,
    /// The sentence does not say.
    Unsaid,
}

/// A refused call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The ARN of who called, as far as the message shows it.
    pub principal: String,
    /// `ecr:BatchGetImage`, …; empty if the message is cut before it.
    pub action: String,
    /// An ARN, or `*`.
    pub resource: String,
    /// Which kind of policy.
    pub policy: Policy,
    /// A statement denies; otherwise none allows.
    pub explicit: bool,
    /// The part of the message that says which policy; of the whole sentence where it does not.
    pub excerpt: String,
}

/// The kinds as AWS names them, in lower case. Messages are cut anywhere, so the beginning must do.
const POLICIES: [(&str, Policy); 8] = [
    ("identity-based", Policy::Identity),
    ("resource-based", Policy::Resource),
    ("permissions boundary", Policy::Boundary),
    ("session", Policy::Session),
    ("service control", Policy::ServiceControl),
    ("resource control", Policy::ResourceControl),
    ("vpc endpoint", Policy::Endpoint),
    ("role trust", Policy::Trust),
];

impl Denial {
    /// Finds the sentence, or what is left of it.
    pub fn find(text: &str, lower: &str) -> Option<Denial> {
        whole(text, lower)
            .or_else(|| without_end(text, lower))
            .or_else(|| without_beginning(text, lower))
            .or_else(|| only_its_code(text, lower))
    }

    /// A refusal of which nothing is known.
    fn unsaid() -> Denial {
        Denial {
            principal: String::new(),
            action: String::new(),
            resource: String::new(),
            policy: Policy::Unsaid,
            explicit: false,
            excerpt: String::new(),
        }
    }

    /// The account of who called, if it is shown.
    pub fn principal_account(&self) -> Option<&str> {
        account_of(&self.principal)
    }

    /// The account of what was asked for, if it is shown.
    pub fn resource_account(&self) -> Option<&str> {
        account_of(&self.resource)
    }

    /// Whether caller and resource stand in different accounts; placeholders differ by their text.
    pub fn is_cross_account(&self) -> bool {
        match (self.principal_account(), self.resource_account()) {
            (Some(caller), Some(owner)) if is_account(caller) == is_account(owner) => caller != owner,
            _ => false,
        }
    }

    /// Whether the call belongs to a pull from a private registry.
    pub fn is_about_pulls(&self) -> bool {
        const CALLS: [&str; 4] = [
            "getauthorizationtoken",
            "batchgetimage",
            "getdownloadurlforlayer",
            "batchchecklayeravailability",
        ];
        let call = self.action.to_ascii_lowercase();
        call.strip_prefix("ecr:").is_some_and(|call| CALLS.contains(&call))
    }

    /// Whether the call is one of private registries: those of pulls, and those of pushes and look-ups; or one that the
    /// message does not name or hides.
    pub fn is_about_registries(&self) -> bool {
        self.action.is_empty()
            || self.action.starts_with('<')
            || self.action.to_ascii_lowercase().starts_with("ecr:")
    }

    /// Whether the call asks ECR Public for a token, which nobody needs.
    pub fn is_about_public(&self) -> bool {
        self.action.starts_with("ecr-public:") || self.action == "sts:GetServiceBearerToken"
    }

    /// The name of the role, for `assumed-role/NAME/SESSION` and `role/NAME`.
    pub fn role(&self) -> Option<&str> {
        let (_, rest) = self.principal.split_once("role/")?;
        rest.split('/').next().filter(|name| !name.is_empty())
    }

    /// The name of the session: the instance id on a node of EC2, `mi-…` on a hybrid node.
    pub fn session(&self) -> Option<&str> {
        self.principal
            .split_once("assumed-role/")
            .and_then(|(_, rest)| rest.split_once('/'))
            .map(|(_, session)| session)
    }
}

const NOT_AUTHORIZED: &str = "not authorized to perform: ";

/// `User: ARN is not authorized to perform: ACTION on resource: ARN because no …`; its beginning may be missing.
fn whole(text: &str, lower: &str) -> Option<Denial> {
    let refused = lower.find(NOT_AUTHORIZED)?;
    let is = lower.get(..refused).is_some_and(|head| head.ends_with("is "));
    let verb = if is { refused - "is ".len() } else { refused };
    let head = text.get(..verb).unwrap_or_default();
    let start = head.rfind("User: ").unwrap_or(verb);
    let principal = head.get(start..).unwrap_or_default().trim_start_matches("User: ").trim();
    let tail_at = (refused + NOT_AUTHORIZED.len()).min(text.len());
    let tail = text.get(tail_at..).unwrap_or_default();
    let lower_tail = lower.get(tail_at..).unwrap_or_default();
    let (policy, explicit, clause) = blamed(lower_tail);
    Some(Denial {
        principal: principal.to_owned(),
        action: first_word(tail).to_owned(),
        resource: lower_tail
            .find("on resource: ")
            .and_then(|at| tail.get(at + "on resource: ".len()..))
            .map(|rest| first_word(rest).to_owned())
            .unwrap_or_default(),
        policy,
        explicit,
        excerpt: match clause {
            Some((from, to)) => excerpt(text, tail_at + from, tail_at + to),
            None => excerpt(text, verb, tail_at + first_word(tail).len()),
        },
    })
}

/// `User: ARN is not auth`: messages are cut anywhere.
fn without_end(text: &str, lower: &str) -> Option<Denial> {
    const USER: &str = "user: ";
    const VERB: &str = "is not authorized to perform";
    let start = lower.rfind(USER)?;
    let end = lower.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len();
    let said = lower.get(start + USER.len()..end)?;
    let verb = said.find(" is").unwrap_or(said.len());
    let behind = said.get(verb..)?.trim();
    let is_cut = if behind.is_empty() {
        said.starts_with("arn:") && !said.contains(' ')
    } else {
        VERB.starts_with(behind)
    };
    let verb = start + USER.len() + verb;
    is_cut.then(|| Denial {
        principal: text.get(start + USER.len()..verb).unwrap_or_default().to_owned(),
        action: call(lower).to_owned(),
        excerpt: excerpt(text, if behind.is_empty() { start } else { verb + 1 }, text.len()),
        ..Denial::unsaid()
    })
}

/// `because no VPC endpoint policy allows the ecr:BatchGetImage action`: only the end of the sentence.
fn without_beginning(text: &str, lower: &str) -> Option<Denial> {
    const ALLOWS: &str = "allows the ";
    let (policy, explicit, clause) = blamed(lower);
    let (from, to) = clause.filter(|_| policy != Policy::Unsaid)?;
    let allows = lower.get(to..).and_then(|rest| rest.find(ALLOWS)).map(|at| to + at + ALLOWS.len());
    let action = allows.and_then(|at| text.get(at..)).map(first_word);
    (explicit || action.is_some()).then(|| Denial {
        action: action.unwrap_or_else(|| call(lower)).to_owned(),
        policy,
        explicit,
        excerpt: excerpt(text, from, to),
        ..Denial::unsaid()
    })
}

/// `AccessDeniedException` without its sentence, where the message says for which call.
fn only_its_code(text: &str, lower: &str) -> Option<Denial> {
    const CODE: &str = "accessdeniedexception";
    let at = lower.find(CODE)?;
    let action = call(lower);
    (!action.is_empty()).then(|| Denial {
        action: action.to_owned(),
        excerpt: excerpt(text, at, at + CODE.len()),
        ..Denial::unsaid()
    })
}

/// What SDKs and the agent of Amazon ECS say around a sentence that lacks its call, in lower case, and that call.
const CALLS: [(&str, &str); 5] = [
    ("ecr public: getauthorizationtoken", "ecr-public:GetAuthorizationToken"),
    ("getauthorizationtoken", "ecr:GetAuthorizationToken"),
    ("unable to retrieve ecr registry auth", "ecr:GetAuthorizationToken"),
    ("from asm", "secretsmanager:GetSecretValue"),
    ("from ssm", "ssm:GetParameters"),
];

/// The call that was refused, where the words around the sentence name it; empty where they do not.
fn call(lower: &str) -> &'static str {
    CALLS.iter().find(|(words, _)| lower.contains(words)).map_or("", |(_, call)| call)
}

type Clause = Option<(usize, usize)>;

/// Which policy the tail blames, whether it denies, and where the tail says so.
fn blamed(tail: &str) -> (Policy, bool, Clause) {
    let explicit = tail.find("with an explicit deny");
    let implicit = tail.find("because no ");
    let Some(at) = explicit.or(implicit) else { return (Policy::Unsaid, false, None) };
    let rest = tail.get(at..).unwrap_or_default();
    let kind = rest.get(..rest.len().min(120)).unwrap_or(rest);
    let found = POLICIES
        .iter()
        .filter_map(|(name, policy)| Some((kind.find(name)?, *policy)))
        .min_by_key(|(at, _)| *at);
    let end = ["policy", "boundary"]
        .iter()
        .filter_map(|word| rest.find(word).map(|found| found + word.len()))
        .min()
        .unwrap_or(kind.len());
    (found.map_or(Policy::Unsaid, |(_, policy)| policy), explicit.is_some(), Some((at, at + end)))
}

/// The account in an ARN; dots stand for what its author left out.
fn account_of(arn: &str) -> Option<&str> {
    let account = arn.split(':').nth(4)?;
    (account.contains(|c: char| c != '.') && !account.contains('/')).then_some(account)
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default().trim_matches(['"', '\'', ',', '.', ';'])
}

#[test]
fn a_sentence_without_its_beginning_is_read() {
    let text = "not authorized to perform: ecr:GetAuthorizationToken on resource: * because no identity-based policy allows";
    let found = Denial::find(text, text).map(|found| (found.principal, found.resource, found.policy));
    assert_eq!(found, Some((String::new(), "*".to_owned(), Policy::Identity)));
    let text = "denied: user: arn:aws:iam::111122223333:user/u is not authorized.";
    let found = Denial::find(text, text).map(|found| (found.action, found.excerpt));
    assert_eq!(found, Some((String::new(), "is not authorized.".to_owned())));
}

#[test]
fn what_is_left_of_a_sentence_is_read() {
    let shown = |text: &str| match Denial::find(text, &text.to_ascii_lowercase()) {
        Some(found) => {
            format!(
                "{} {} {:?} {} | {}\n",
                found.principal, found.action, found.policy, found.explicit, found.excerpt
            )
        }
        None => "-\n".to_owned(),
    };
    let table: String = [
        "unable to retrieve ecr registry auth: AccessDeniedException: User: arn:aws:sts::111122223333:assumed-rol...",
        "User: arn:aws:iam::111122223333:user/u is not auth",
        "User: <USER> is not authorized to perform",
        "because no VPC endpoint policy allows the ecr:ListImages action",
        "with an explicit deny in a service control policy",
        "operation error ECR: GetAuthorizationToken, AccessDeniedException",
        "operation error ECR PUBLIC: GetAuthorizationToken, api error AccessDeniedException:User: arn:aws:sts::<ID>:assumed-role/a/",
        "unable to retrieve secret from asm: AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/a/259ab",
        "failed to fetch parameters: AccessDeniedException",
        "User: arn:aws:iam::111122223333:user/u logged in",
        "because no session is open",
        "User: arn:aws:iam::111122223333:user/u is here",
    ]
    .iter()
    .map(|text| shown(text))
    .collect();
    expect_test::expect![[r#"
        arn:aws:sts::111122223333:assumed-rol ecr:GetAuthorizationToken Unsaid false | User: arn:aws:sts::111122223333:assumed-rol...
        arn:aws:iam::111122223333:user/u  Unsaid false | is not auth
        <USER>  Unsaid false | is not authorized to perform
         ecr:ListImages Endpoint false | because no VPC endpoint policy
          ServiceControl true | with an explicit deny in a service control policy
         ecr:GetAuthorizationToken Unsaid false | AccessDeniedException
        arn:aws:sts::<ID>:assumed-role/a ecr-public:GetAuthorizationToken Unsaid false | User: arn:aws:sts::<ID>:assumed-role/a/
        arn:aws:sts::111122223333:assumed-role/a/259ab secretsmanager:GetSecretValue Unsaid false | User: arn:aws:sts::111122223333:assumed-role/a/259ab
        -
        -
        -
        -
    "#]].assert_eq(&table);
}

#[test]
fn the_blamed_policy_is_read() {
    let shown = |tail: &str| {
        let text = format!(
            "denied: User: arn:aws:sts::111122223333:assumed-role/node/i-1 is not authorized to perform: \
             ecr:BatchGetImage on resource: arn:aws:ecr:eu-west-1:444455556666:repository/app{tail}"
        );
        let found = Denial::find(&text, &text.to_ascii_lowercase()).unwrap();
        assert_eq!(
            (found.role(), found.session(), found.action.as_str()),
            (Some("node"), Some("i-1"), "ecr:BatchGetImage")
        );
        assert!(found.is_cross_account());
        format!("{:?} {} | {}\n", found.policy, found.explicit, found.excerpt)
    };
    let table: String = [
        "",
        " because no identity-based policy allows the ecr:BatchGetImage action",
        " because no resource-based policy allows the ecr:BatchGetImage action",
        " because no permissions boundary allows the ecr:BatchGetImage action",
        " because no VPC endpoint policy allows the ecr:BatchGetImage action",
        " with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o-1/service_control_policy/p-1",
        " with an explicit deny in a resource control policy",
        " with an explicit deny in a service control",
        " with an explicit deny in a VPC endpoint policy",
        " with an explicit deny in an identity-based policy",
    ]
    .iter()
    .map(|tail| shown(tail))
    .collect();
    expect_test::expect![[r#"
        Unsaid false | is not authorized to perform: ecr:BatchGetImage
        Identity false | because no identity-based policy
        Resource false | because no resource-based policy
        Boundary false | because no permissions boundary
        Endpoint false | because no VPC endpoint policy
        ServiceControl true | with an explicit deny in a service control policy
        ResourceControl true | with an explicit deny in a resource control policy
        ServiceControl true | with an explicit deny in a service control
        Endpoint true | with an explicit deny in a VPC endpoint policy
        Identity true | with an explicit deny in an identity-based policy
    "#]]
    .assert_eq(&table);
}
