//! What a message means, and the catalogue of causes, for a person.

use std::fmt::Write as _;

use super::terminal::{Paint, clean};
use super::text::wrapped;
use crate::checks::{Cause, Leg, Likelihood};
use crate::explain::{Explanation, Reason, Runtime};
use crate::model::ImageRef;

/// How many further causes a person is shown.
const OTHERS: usize = 5;

/// One message: the first cause with what to do, the others in a line each.
pub fn one(explanation: &Explanation, paint: Paint) -> String {
    let mut out = String::new();
    let mut causes = explanation.causes.iter();
    if let Some(first) = causes.next() {
        let _ = writeln!(out, "{}: {}", likelihood(first, paint), paint.bold(first.id));
        out += &wrapped(&summary(first.id), 2);
        out += &wrapped(&format!("because {}", clean(&first.recognition.because)), 2);
        out += &wrapped(&format!("next: {}", clean(&first.recognition.next)), 2);
    }
    let others: Vec<&Reason> = causes.collect();
    if !others.is_empty() {
        let _ = writeln!(out, "\n{}", paint.bold("It may also be"));
    }
    for other in others.iter().take(OTHERS) {
        let _ = write!(
            out,
            "  {} ({})\n{}",
            other.id,
            other.recognition.likelihood.as_str(),
            wrapped(&summary(other.id), 4)
        );
    }
    if others.len() > OTHERS {
        let rest: Vec<&str> = others.iter().skip(OTHERS).map(|other| other.id).collect();
        out += &wrapped(&format!("and, less likely: {}", rest.join(", ")), 2);
    }
    out.push('\n');
    out += &about(explanation);
    if let Some(first) = explanation.causes.first() {
        let _ = writeln!(out, "More: `ecr-fix explain {}`", first.id);
    }
    out
}

/// One message of many: what it says, and its first causes.
pub fn one_of_many(number: usize, explanation: &Explanation, paint: Paint) -> String {
    let shown: String = explanation.message.chars().take(200).collect();
    let mut out = format!("{number}. {}\n", clean(&shown));
    let mut causes = explanation.causes.iter();
    if let Some(first) = causes.next() {
        let _ = writeln!(out, "   {}: {}", likelihood(first, paint), paint.bold(first.id));
        out += &wrapped(&format!("next: {}", clean(&first.recognition.next)), 3);
    }
    let others: Vec<&str> = causes.take(OTHERS).map(|other| other.id).collect();
    if !others.is_empty() {
        out += &wrapped(&format!("or: {}", others.join(", ")), 3);
    }
    out.push('\n');
    out
}

/// The manual of a cause, with its facts in front.
pub fn manual(cause: &Cause, paint: Paint) -> String {
    let mut out = String::new();
    for line in cause.manual().lines() {
        match line.trim_start_matches('#') {
            heading if heading.len() < line.len() => {
                let _ = writeln!(out, "{}", paint.bold(heading.trim()));
            }
            _ if line.is_empty() => out.push('\n'),
            _ => out.push_str(&format!("{line}\n")),
        }
    }
    let _ = write!(
        out,
        "\nLeg: {}. Severity: {}. Remedy: {}.\n",
        leg(cause.leg),
        cause.severity.as_str(),
        cause.remedy.as_str()
    );
    out
}

/// Every cause, by leg.
pub fn list(causes: &[&Cause], paint: Paint) -> String {
    let mut out = String::new();
    let mut above = None;
    for cause in causes {
        if above != Some(cause.leg) {
            let gap = if above.is_some() { "\n" } else { "" };
            let _ = writeln!(out, "{gap}{}", paint.bold(leg(cause.leg)));
            above = Some(cause.leg);
        }
        let _ = write!(out, "  {}\n{}", cause.id, wrapped(&cause.summary(), 4));
    }
    out + "\nThe manual of one: `ecr-fix explain CAUSE`\n"
}

/// All manuals, as the page `docs/causes.md`.
pub fn page(causes: &[&Cause]) -> String {
    let mut out = "# Why pulls fail: every cause that ecr-fix knows\n\nGenerated from `src/checks/`; a test compares it. \
        `ecr-fix explain CAUSE` prints one of these manuals.\n"
        .to_owned();
    let mut above = None;
    for cause in causes {
        if above != Some(cause.leg) {
            let _ = write!(out, "\n## Leg: {}\n", leg(cause.leg));
            above = Some(cause.leg);
        }
        let facts = format!("Severity: {}. Remedy: {}.", cause.severity.as_str(), cause.remedy.as_str());
        for (number, line) in cause.manual().lines().enumerate() {
            match line {
                "" => out.push('\n'),
                _ if line.starts_with('#') => {
                    let _ = writeln!(out, "{}##{line}", if number == 0 { "\n" } else { "" });
                }
                _ => out.push_str(&format!("{line}\n")),
            }
        }
        let _ = write!(out, "\n{facts}\n");
    }
    out
}

fn about(explanation: &Explanation) -> String {
    let image = match &explanation.image {
        Some(image) => format!("Image: {}{}\n", clean(&image.to_string()), whose(image)),
        None => "Image: the message names none\n".to_owned(),
    };
    let runtime = match explanation.runtime {
        Runtime::Containerd => "Runtime: containerd\n",
        Runtime::Docker => "Runtime: Docker\n",
        Runtime::CriO => "Runtime: CRI-O or Podman\n",
        Runtime::Unknown => "",
    };
    let scope = if explanation.in_scope { "" } else { "Scope: not a registry of ECR\n" };
    format!("{image}{runtime}{scope}")
}

fn whose(image: &ImageRef) -> String {
    match (&image.account, &image.region) {
        (Some(account), Some(region)) => format!(" (account {}, region {})", clean(account), clean(region)),
        _ => String::new(),
    }
}

fn likelihood(reason: &Reason, paint: Paint) -> String {
    let word = reason.recognition.likelihood.as_str();
    match reason.recognition.likelihood {
        Likelihood::Certain => paint.red(word),
        Likelihood::Likely => paint.yellow(word),
        Likelihood::Possible => paint.dim(word),
    }
}

fn summary(id: &str) -> String {
    Cause::find(id).map(Cause::summary).unwrap_or_default()
}

fn leg(leg: Option<Leg>) -> &'static str {
    leg.map_or("none: on the node, or not a cause", Leg::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks;
    use crate::explain::{Known, explain};

    const PLAIN: Paint = Paint { on: false };

    #[test]
    fn the_page_of_all_causes_is_the_one_in_docs() {
        expect_test::expect_file!["../../docs/causes.md"].assert_eq(&page(checks::ALL));
    }

    #[test]
    fn a_message_explained() {
        let message = "Failed to pull image \"111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1\": rpc error: \
            code = Unknown desc = failed to pull and unpack image \"111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1\": \
            failed to resolve reference \"111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1\": failed to do request: \
            Head \"https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/v2/team/app/manifests/v1\": dial tcp 10.0.3.7:443: i/o timeout";
        expect_test::expect![[r#"
            likely: vpce-sg-blocks-443
              The security group of the endpoint does not admit the nodes on port 443.
              because `dial tcp 10.0.3.7:443: i/o timeout`: the address is private, as those
                of endpoints are
              next: `aws ec2 describe-vpc-endpoints --region eu-west-1 --filters
                Name=service-name,Values=com.amazonaws.eu-west-1.ecr.dkr`: do its `Groups`
                admit the nodes on 443?

            It may also be
              sg-egress-blocked (possible)
                No security group of the node lets it connect to port 443.
              nacl-blocked (possible)
                A network ACL drops the packets of the pull, or their answers.
              vpce-not-available (possible)
                The endpoint exists but is not in service.
              vpce-subnet-az-missing (possible)
                The endpoint has no network interface in the zone of the node.

            Image: 111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1 (account 111122223333, region eu-west-1)
            Runtime: containerd
            More: `ecr-fix explain vpce-sg-blocks-443`
        "#]].assert_eq(&one(&explain(message, &Known::default()), PLAIN));
        expect_test::expect![[r#"
            1. Failed to pull image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1": rpc error: code = Unknown desc = failed to pull and unpack image "111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/app
               likely: vpce-sg-blocks-443
               next: `aws ec2 describe-vpc-endpoints --region eu-west-1 --filters
                 Name=service-name,Values=com.amazonaws.eu-west-1.ecr.dkr`: do its `Groups`
                 admit the nodes on 443?
               or: sg-egress-blocked, nacl-blocked, vpce-not-available,
                 vpce-subnet-az-missing

        "#]].assert_eq(&one_of_many(1, &explain(message, &Known::default()), PLAIN));
    }

    #[test]
    fn a_hostile_message_is_harmless() {
        let message = "\u{1b}[2J\u{202e}Failed to pull image \"nginx\u{7}\": \u{1b}]0;x\u{7} dial tcp 1.2.3.4:443: i/o timeout";
        let explained = explain(message, &Known::default());
        for printed in [one(&explained, PLAIN), one_of_many(1, &explained, PLAIN)] {
            assert!(!printed.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{printed:?}");
        }
    }
}
