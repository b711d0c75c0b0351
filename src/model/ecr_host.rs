//! The host names of ECR: registries, APIs, and the buckets that serve layers.
//!
//! Source: the pattern in `ecr-credential-provider` (kubernetes/cloud-provider-aws, July 2026), and the ECR user
//! guide, "Making requests". Host names are matched without regard to case, and a port may follow.

use super::Partition;
use super::aws_accounts::is_known_region;

/// What a host does in a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostKind {
    /// `ACCOUNT.dkr.ecr.REGION.amazonaws.com`: manifests, and the addresses of layers.
    Registry,
    /// `public.ecr.aws`.
    PublicRegistry,
    /// `api.ecr.REGION.amazonaws.com`: issues tokens.
    Api,
    /// `api.ecr-public.us-east-1.amazonaws.com`.
    PublicApi,
    /// `prod-REGION-starport-layer-bucket.s3.REGION.amazonaws.com`: serves layers.
    LayerBucket,
}

/// A host of ECR, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcrHost {
    /// What it does.
    pub kind: HostKind,
    /// Twelve digits; none for a placeholder.
    pub account: Option<String>,
    /// In lower case; none for a placeholder.
    pub region: Option<String>,
    /// None where neither the region nor the domain tells.
    pub partition: Option<&'static str>,
    /// Reachable over IPv6 too.
    pub dual_stack: bool,
    /// Uses validated cryptography.
    pub fips: bool,
    /// Why no such host can exist: somebody misspelled it.
    pub defect: Option<&'static str>,
}

/// Every domain that a registry of ECR ends with, and whether it is dual-stack.
const DOMAINS: [(&str, bool); 9] = [
    ("amazonaws.com.cn", false),
    ("amazonaws.com", false),
    ("amazonaws.eu", false),
    ("c2s.ic.gov", false),
    ("sc2s.sgov.gov", false),
    ("cloud.adc-e.uk", false),
    ("csp.hci.ic.gov", false),
    ("on.amazonwebservices.com.cn", true),
    ("on.aws", true),
];

/// The regions with an API of ECR Public (AWS General Reference, Amazon ECR Public endpoints).
const PUBLIC_REGIONS: [&str; 2] = ["us-east-1", "us-west-2"];

/// The labels between account and region.
const SERVICES: [(&str, bool, bool); 4] = [
    (".dkr.ecr.", false, false),
    (".dkr.ecr-fips.", false, true),
    (".dkr-ecr.", true, false),
    (".dkr-ecr-fips.", true, true),
];

impl EcrHost {
    /// Takes a host apart; none if it has nothing to do with ECR.
    pub fn parse(host: &str) -> Option<EcrHost> {
        let host = without_port(host.trim().trim_end_matches('.')).to_ascii_lowercase();
        public(&host)
            .or_else(|| layer_bucket(&host))
            .or_else(|| registry(&host))
            .or_else(|| api(&host))
            .or_else(|| misspelled(&host))
    }

    /// Whether images are named with this host.
    pub fn serves_images(&self) -> bool {
        matches!(self.kind, HostKind::Registry | HostKind::PublicRegistry)
    }

    fn new(kind: HostKind) -> EcrHost {
        EcrHost {
            kind,
            account: None,
            region: None,
            partition: None,
            dual_stack: false,
            fips: false,
            defect: None,
        }
    }

    fn in_region(mut self, label: &str) -> EcrHost {
        if is_region_like(label) {
            self.partition = Some(Partition::of_region(label).name);
            self.region = Some(label.to_owned());
        }
        self
    }
}

/// Twelve digits.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// `eu-west-1`, `us-gov-west-1`, …: the form, not whether the region exists.
pub fn is_region_like(label: &str) -> bool {
    let parts: Vec<&str> = label.split('-').collect();
    let [first, middle @ .., last] = parts.as_slice() else { return false };
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    !middle.is_empty()
        && (2..=4).contains(&first.len())
        && is_word(first)
        && middle.iter().all(is_word)
        && !last.is_empty()
        && last.len() <= 2
        && last.bytes().all(|b| b.is_ascii_digit())
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

fn public(host: &str) -> Option<EcrHost> {
    let mut found = match host {
        "public.ecr.aws" | "ecr-public.aws.com" => EcrHost::new(HostKind::PublicRegistry),
        _ if host.starts_with("api.ecr-public.") || host.starts_with("ecr-public.") => {
            let region = host.split('.').find(|label| is_region_like(label)).unwrap_or_default();
            let is_elsewhere = is_known_region(region) && !PUBLIC_REGIONS.contains(&region);
            EcrHost {
                defect: is_elsewhere.then_some("ECR Public has no API in that region"),
                ..EcrHost::new(HostKind::PublicApi).in_region(region)
            }
        }
        _ => return None,
    };
    found.dual_stack = host.ends_with(".aws.com") || host.ends_with(".api.aws");
    found.partition = Some("aws");
    Some(found)
}

fn layer_bucket(host: &str) -> Option<EcrHost> {
    let (region, _) = host.strip_prefix("prod-")?.split_once("-starport-layer-bucket")?;
    Some(EcrHost::new(HostKind::LayerBucket).in_region(region))
}

fn registry(host: &str) -> Option<EcrHost> {
    let (account, dual_stack, fips, rest) = SERVICES.iter().find_map(|(labels, dual_stack, fips)| {
        host.split_once(labels).map(|(account, rest)| (account, *dual_stack, *fips, rest))
    })?;
    let mut found = EcrHost { dual_stack, fips, ..EcrHost::new(HostKind::Registry) };
    let Some((region, domain)) = DOMAINS.iter().find_map(|(domain, is_dual_stack)| {
        let region = rest.strip_suffix(domain)?.strip_suffix('.')?;
        Some((region, (*domain, *is_dual_stack)))
    }) else {
        return cut_or_misspelled(found, account, rest);
    };
    found.account = Some(account).filter(|account| is_account(account)).map(str::to_owned);
    found.partition = partition_of_domain(domain.0);
    let mut found = found.in_region(region);
    found.defect = defect(account, region, domain, &found);
    Some(found)
}

/// A registry without a domain of ECR's: its end is missing, as messages are cut anywhere, or it is misspelled.
/// Whatever else ends like this only looks like ECR.
fn cut_or_misspelled(mut found: EcrHost, account: &str, rest: &str) -> Option<EcrHost> {
    let (region, domain) = rest.split_once('.').unwrap_or((rest, ""));
    if DOMAINS.iter().any(|(known, _)| known.starts_with(domain)) {
        found.account = Some(account).filter(|account| is_account(account)).map(str::to_owned);
        return Some(if domain.is_empty() { found } else { found.in_region(region) });
    }
    found.defect = Some("its domain is none of ECR's");
    ends_like_aws(rest).then_some(found)
}

/// Whether a domain was meant to be one of AWS: `amazon.aws.com`, `amazonaws.co`; not `amazonaws.com.example.org`.
fn ends_like_aws(domain: &str) -> bool {
    let domain = domain.strip_suffix(".cn").unwrap_or(domain);
    domain.rsplit('.').take(2).any(|label| label.contains("amazon") || label.starts_with("aws"))
}

/// What is wrong with the labels of a registry, where it is no placeholder of somebody who hides an account.
fn defect(account: &str, region: &str, domain: (&str, bool), host: &EcrHost) -> Option<&'static str> {
    if account.is_empty() {
        return Some("the account before `.dkr.ecr` is empty");
    }
    if region.is_empty() {
        return Some("the region after `.dkr.ecr` is empty");
    }
    if domain.1 != host.dual_stack {
        return Some(
            "it mixes the IPv4 and the dual-stack form (`.dkr.ecr.…amazonaws.com`, `.dkr-ecr.…on.aws`)",
        );
    }
    let Some(named) = host.region.as_deref() else {
        let is_meant = host.account.is_some() && !is_placeholder(region);
        return is_meant.then_some("no region is named like that");
    };
    if !is_known_region(named) && !is_placeholder(named) {
        return Some("there is no such region that we know of");
    }
    match partition_of_domain(domain.0) {
        Some(of_domain) if of_domain != Partition::of_region(named).name => {
            Some("its domain does not belong to the partition of its region")
        }
        None if Partition::of_region(named).dns_suffix != "amazonaws.com" => {
            Some("its domain does not belong to the partition of its region")
        }
        _ => None,
    }
}

/// None for `amazonaws.com` and `on.aws`, which two partitions share.
fn partition_of_domain(domain: &str) -> Option<&'static str> {
    match domain {
        "amazonaws.com.cn" | "on.amazonwebservices.com.cn" => Some("aws-cn"),
        "amazonaws.eu" => Some("aws-eusc"),
        "c2s.ic.gov" => Some("aws-iso"),
        "sc2s.sgov.gov" => Some("aws-iso-b"),
        "cloud.adc-e.uk" => Some("aws-iso-e"),
        "csp.hci.ic.gov" => Some("aws-iso-f"),
        _ => None,
    }
}

/// Text that stands for something that its author did not want to show.
fn is_placeholder(label: &str) -> bool {
    let plain = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    !plain || ["region", "account", "xx"].iter().any(|word| label.contains(word))
}

fn api(host: &str) -> Option<EcrHost> {
    let rest = host.strip_prefix("api.").unwrap_or(host);
    let (fips, rest) = match rest.strip_prefix("ecr.") {
        Some(rest) => (false, rest),
        None => (true, rest.strip_prefix("ecr-fips.")?),
    };
    let (region, domain) = rest.split_once('.').unwrap_or((rest, ""));
    if !ends_like_aws(domain) && DOMAINS.iter().all(|(known, _)| !known.starts_with(domain)) {
        return None;
    }
    let mut found = EcrHost { fips, ..EcrHost::new(HostKind::Api) }.in_region(region);
    found.dual_stack = rest.contains(".api.");
    if !region.is_empty() && !is_known_region(region) && !is_placeholder(region) && rest.contains('.') {
        found.defect = Some("there is no such region that we know of");
    }
    Some(found)
}

/// A host that somebody meant to be a registry of ECR: it has ECR's label and a domain like AWS's.
fn misspelled(host: &str) -> Option<EcrHost> {
    let labels: Vec<&str> = host.split('.').collect();
    let has_service = labels.iter().any(|label| matches!(*label, "ecr" | "dkr" | "dkr-ecr" | "ecr-fips"));
    let has_domain = ends_like_aws(host);
    // An account without a service, or the bare domain: what is left where something was not filled in.
    let has_account = labels.first().is_some_and(|label| is_account(label)) && has_domain;
    let is_bare = host == "amazonaws.com" || host == "amazonaws.com.cn";
    let meant = has_service && has_domain && labels.len() >= 4;
    if !(meant || has_account || is_bare) {
        return None;
    }
    let region = DOMAINS
        .iter()
        .find_map(|(domain, _)| host.strip_suffix(domain)?.strip_suffix('.'))
        .and_then(|rest| rest.rsplit('.').next())
        .unwrap_or_default();
    let mut found = EcrHost::new(HostKind::Registry).in_region(region);
    found.defect = Some("it lacks a part of `ACCOUNT.dkr.ecr.REGION.DOMAIN`");
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(host: &str) -> String {
        let Some(found) = EcrHost::parse(host) else { return "-".to_owned() };
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "?".to_owned());
        format!(
            "{:?} {} {} {}{}{}{}",
            found.kind,
            text(&found.account),
            text(&found.region),
            found.partition.unwrap_or("?"),
            if found.dual_stack { " dual-stack" } else { "" },
            if found.fips { " fips" } else { "" },
            found.defect.map(|defect| format!(" ({defect})")).unwrap_or_default(),
        )
    }

    #[test]
    fn every_form_of_the_grammar() {
        let hosts = [
            "111122223333.dkr.ecr.eu-west-1.amazonaws.com",
            "111122223333.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
            "111122223333.dkr-ecr.us-east-1.on.aws",
            "111122223333.dkr-ecr-fips.us-east-1.on.aws",
            "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn",
            "111122223333.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
            "111122223333.dkr.ecr.eusc-de-east-1.amazonaws.eu",
            "111122223333.dkr.ecr.us-iso-east-1.c2s.ic.gov",
            "111122223333.dkr.ecr.us-isob-east-1.sc2s.sgov.gov",
            "111122223333.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk",
            "111122223333.dkr.ecr.us-isof-south-1.csp.hci.ic.gov",
            "111122223333.DKR.ECR.EU-WEST-1.AMAZONAWS.COM:443",
            "public.ecr.aws",
            "ecr-public.aws.com",
            "api.ecr.us-east-1.amazonaws.com",
            "ecr.us-east-1.api.aws",
            "ecr-fips.us-east-1.amazonaws.com",
            "api.ecr-public.us-east-1.amazonaws.com",
            "ecr-public.us-east-1.api.aws",
            "prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com",
            "prod-us-east-1-starport-layer-bucket.s3.amazonaws.com",
            "<account number>.dkr.ecr.eu-west-1.amazonaws.com",
            "ACCOUNT.dkr.ecr.REGION.amazonaws.com",
            "<id>.dkr.ecr.cn-north-1.amazonaws.com.cn",
        ];
        let table: String = hosts.iter().map(|host| format!("{}\n", shown(host))).collect();
        expect_test::expect![[r#"
            Registry 111122223333 eu-west-1 aws
            Registry 111122223333 us-gov-west-1 aws-us-gov fips
            Registry 111122223333 us-east-1 aws dual-stack
            Registry 111122223333 us-east-1 aws dual-stack fips
            Registry 111122223333 cn-north-1 aws-cn
            Registry 111122223333 cn-north-1 aws-cn dual-stack
            Registry 111122223333 eusc-de-east-1 aws-eusc
            Registry 111122223333 us-iso-east-1 aws-iso
            Registry 111122223333 us-isob-east-1 aws-iso-b
            Registry 111122223333 eu-isoe-west-1 aws-iso-e
            Registry 111122223333 us-isof-south-1 aws-iso-f
            Registry 111122223333 eu-west-1 aws
            PublicRegistry ? ? aws
            PublicRegistry ? ? aws dual-stack
            Api ? us-east-1 aws
            Api ? us-east-1 aws dual-stack
            Api ? us-east-1 aws fips
            PublicApi ? us-east-1 aws
            PublicApi ? us-east-1 aws dual-stack
            LayerBucket ? us-east-1 aws
            LayerBucket ? us-east-1 aws
            Registry ? eu-west-1 aws
            Registry ? ? ?
            Registry ? cn-north-1 aws-cn
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn misspelled_hosts_say_what_is_wrong() {
        let hosts = [
            "111122223333.dkr.ecr.us-west-2.amazon.aws.com",
            ".dkr.ecr.ca-central-1.amazonaws.com",
            "111122223333.dkr.ecr.cn-north-1.amazonaws.com",
            "111122223333.dkr.ecr.eu-west-1.amazonaws.com.cn",
            "111122223333.dkr.ecr.us-west-1a.amazonaws.com",
            "111122223333.ecr.us-east-1.amazonaws.com",
            "111122223333.dkr-ecr.us-east-1.amazonaws.com",
            "quay.io",
            "registry.example.com",
            "my-bucket.s3.us-east-1.amazonaws.com",
            "amazonaws.com",
            "111122223333.us-east-1.amazonaws.com",
            "111122223333.dkr.ecr.eu-west-1.amazonaws.com.example.org",
            "111122223333.dkr.ecr.us-east-1.localhost.localstack.cloud:4510",
            "ecr.aws.example.org",
            "111122223333.dkr.ecr.eu-west-1.amazonaws.c",
            "111122223333.dkr.ecr.eu-we",
        ];
        let table: String = hosts.iter().map(|host| format!("{}\n", shown(host))).collect();
        expect_test::expect![[r#"
            Registry ? ? ? (its domain is none of ECR's)
            Registry ? ca-central-1 aws (the account before `.dkr.ecr` is empty)
            Registry 111122223333 cn-north-1 aws-cn (its domain does not belong to the partition of its region)
            Registry 111122223333 eu-west-1 aws (its domain does not belong to the partition of its region)
            Registry 111122223333 ? ? (no region is named like that)
            Registry ? us-east-1 aws (it lacks a part of `ACCOUNT.dkr.ecr.REGION.DOMAIN`)
            Registry 111122223333 us-east-1 aws dual-stack (it mixes the IPv4 and the dual-stack form (`.dkr.ecr.…amazonaws.com`, `.dkr-ecr.…on.aws`))
            -
            -
            -
            Registry ? ? ? (it lacks a part of `ACCOUNT.dkr.ecr.REGION.DOMAIN`)
            Registry ? us-east-1 aws (it lacks a part of `ACCOUNT.dkr.ecr.REGION.DOMAIN`)
            -
            -
            -
            Registry 111122223333 eu-west-1 aws
            Registry 111122223333 ? ?
        "#]]
        .assert_eq(&table);
    }
}
