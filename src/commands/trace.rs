//! `ecr-fix trace`: follows one network path hop by hop, both directions.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::world::WorldArgs;
use crate::cli::Format;
use crate::error::{Code, Error};
use crate::model::Snapshot;
use crate::model::image_ref::ImageRef;
use crate::network::names::PullHosts;
use crate::network::{Destination, Network, Service, Source, Trace, Verdict, pull};
use crate::render;
use crate::render::terminal::Paint;
use crate::snapshot_dir;
use crate::ui::Ui;

/// The port of HTTPS, which every flow of a pull uses.
const DEFAULT_PORT: u16 = 443;

/// Follow one network path hop by hop, both directions.
///
/// Says where packets or their replies stop, and which rule, route or ACL entry decides. What the snapshot does not hold
/// makes the answer unknown.
#[derive(Debug, clap::Args)]
pub struct TraceArgs {
    /// Where packets come from: an instance, network interface, subnet, node group, node, Fargate profile, or an address
    #[arg(long, env = "ECR_FIX_FROM", value_name = "SOURCE")]
    from: String,
    /// Where they go: IP, IP:PORT, HOST, HOST:PORT, a component id, or pull:IMAGE for the flows of a pull
    #[arg(long, env = "ECR_FIX_TO", value_name = "DESTINATION")]
    to: String,
    /// tcp, udp, icmp, the number of a protocol, or -1 for all
    #[arg(long, env = "ECR_FIX_PROTOCOL", default_value = "tcp", allow_hyphen_values = true)]
    protocol: String,
    /// Trace every network interface behind the source, alike ones once
    #[arg(long, env = "ECR_FIX_ALL")]
    all: bool,
    #[command(flatten)]
    world: WorldArgs,
    /// Say which flows are different in a later snapshot
    #[arg(long, env = "ECR_FIX_DIFF", value_name = "DIR")]
    diff: Option<PathBuf>,
}

/// Answers with the exit code of the process: 0 for every verdict.
///
/// # Errors
/// The world cannot be read, or holds no such source or destination.
pub async fn trace(args: &TraceArgs, ui: &Ui) -> Result<u8, Error> {
    let question = Question::of(args)?;
    let answer = question.ask(&args.world.for_trace().read(&args.world.eyes().await?, ui).await?)?;
    match &args.diff {
        None => {
            note_others(&answer, args, ui);
            show(ui, &answer, |paint| render::trace::answer(&answer, paint));
        }
        Some(other) => {
            let changes = Changes::between(answer, question.ask(&load(other, ui)?)?);
            show(ui, &changes, |paint| render::trace::changes(&changes, paint));
        }
    }
    Ok(0)
}

fn load(dir: &Path, ui: &Ui) -> Result<Snapshot, Error> {
    let loaded = snapshot_dir::load(dir)?;
    if ui.verbose > 0 {
        for (file, key) in &loaded.ignored {
            ui.note(&format!("{}: {} is ignored", file.display(), render::terminal::clean(key)));
        }
    }
    Ok(loaded.snapshot)
}

fn show(ui: &Ui, answer: &impl Serialize, text: impl FnOnce(Paint) -> String) {
    match ui.format {
        Format::Json => ui.answer(&render::json::document(answer)),
        Format::Text => ui.answer(&text(Paint { on: ui.color })),
    }
}

fn note_others(answer: &Answer, args: &TraceArgs, ui: &Ui) {
    if answer.others > 0 {
        ui.note(&format!(
            "{} stands for {} more network interfaces: --all traces them too",
            args.from, answer.others
        ));
    }
}

/// What is asked of a snapshot.
#[derive(Debug)]
pub struct Question {
    from: String,
    to: Target,
    protocol: String,
    all: bool,
}

#[derive(Debug)]
enum Target {
    Pull(PullHosts),
    Component(String),
}

/// What a snapshot answers. The worst flow stands at the top, in the shape of the contract.
#[derive(Debug, Serialize)]
pub struct Answer {
    format_version: &'static str,
    /// The worst of all flows.
    #[serde(flatten)]
    pub worst: Trace,
    /// Every flow, where there are several.
    #[serde(skip_serializing_if = "is_told_by_the_worst")]
    pub flows: Vec<Flow>,
    #[serde(skip)]
    others: usize,
}

fn is_told_by_the_worst(flows: &Vec<Flow>) -> bool {
    matches!(flows.as_slice(), [one] if one.sources == 1)
}

/// One flow of an answer.
#[derive(Clone, Debug, Serialize)]
pub struct Flow {
    /// The source, or the first of its class.
    pub from: String,
    /// How many sources it stands for.
    pub sources: usize,
    /// The destination, or the flow of a pull.
    pub to: String,
    /// Protocol and port.
    pub service: String,
    /// How it goes.
    #[serde(flatten)]
    pub trace: Trace,
}

/// The flows that differ between two snapshots.
#[derive(Debug, Serialize)]
pub struct Changes {
    format_version: &'static str,
    /// In the order of the flows.
    pub changes: Vec<Change>,
    /// How many flows are the same.
    pub unchanged: usize,
}

/// One flow that differs: absent where a snapshot does not have it.
#[derive(Debug, Serialize)]
pub struct Change {
    /// The source.
    pub from: String,
    /// The destination, or the flow of a pull.
    pub to: String,
    /// In `--snapshot`.
    pub before: Option<Trace>,
    /// In `--diff`.
    pub after: Option<Trace>,
}

impl Question {
    fn of(args: &TraceArgs) -> Result<Question, Error> {
        let to = match args.to.strip_prefix("pull:") {
            None => Target::Component(args.to.clone()),
            Some(image) => Target::Pull(pull_hosts(image).ok_or_else(|| not_ecr(image))?),
        };
        Ok(Question {
            from: args.from.clone(),
            to,
            protocol: args.protocol.clone(),
            all: args.all || args.diff.is_some(),
        })
    }

    /// Asks a snapshot.
    ///
    /// # Errors
    /// It holds no such source or destination.
    pub fn ask(&self, snapshot: &Snapshot) -> Result<Answer, Error> {
        let network = Network::of(snapshot);
        let mut sources = network.resolve_source(&self.from)?;
        let others = if self.all { 0 } else { sources.len().saturating_sub(1) };
        if !self.all {
            sources.truncate(1);
        }
        let mut flows = Vec::new();
        for class in network.classes(&sources) {
            let Some(source) = class.first() else { continue };
            flows.extend(self.flows(&network, source, class.len())?);
        }
        let worst = flows.iter().rev().max_by_key(|flow| flow.trace.verdict).map(|flow| flow.trace.clone());
        let Some(worst) = worst else {
            return Err(Error::new(
                Code::NotFound,
                format!("{} stands for no network interface", self.from),
                "name an instance or a network interface",
            ));
        };
        Ok(Answer { format_version: "1.0", worst, flows, others })
    }

    fn flows(&self, network: &Network<'_>, source: &Source, sources: usize) -> Result<Vec<Flow>, Error> {
        let flow = |to: &str, service: Service, trace: Trace| Flow {
            from: source.name(),
            sources,
            to: to.to_owned(),
            service: service.to_string(),
            trace,
        };
        match &self.to {
            Target::Pull(hosts) => {
                let flows = pull::flows(network, source, hosts);
                Ok(flows.in_order().map(|one| flow(&one.host, one.service, one.trace.clone())).to_vec())
            }
            Target::Component(text) => {
                let (to, port) = network.resolve_destination(text)?;
                let service = service(&self.protocol, port)?;
                Ok(vec![flow(&name(&to), service, network.trace(source, &to, service))])
            }
        }
    }
}

impl Changes {
    fn between(before: Answer, after: Answer) -> Changes {
        let mut changes = Vec::new();
        let mut unchanged = 0;
        let mut after = after.flows;
        for old in before.flows {
            let place = after.iter().position(|new| (&new.from, &new.to) == (&old.from, &old.to));
            let new = place.map(|place| after.remove(place));
            let same = |new: &Flow| {
                (new.trace.verdict, &new.trace.forward, &new.trace.return_path)
                    == (old.trace.verdict, &old.trace.forward, &old.trace.return_path)
            };
            if new.as_ref().is_some_and(same) {
                unchanged += 1;
                continue;
            }
            changes.push(Change {
                from: old.from,
                to: old.to,
                before: Some(old.trace),
                after: new.map(|new| new.trace),
            });
        }
        let only_new = after.into_iter().map(|new| Change {
            from: new.from,
            to: new.to,
            before: None,
            after: Some(new.trace),
        });
        changes.extend(only_new);
        Changes { format_version: "1.0", changes, unchanged }
    }
}

/// The verdict of a flow that may not be there.
pub fn verdict(trace: Option<&Trace>) -> &'static str {
    trace.map_or("absent", |trace| Verdict::as_str(trace.verdict))
}

fn name(to: &Destination) -> String {
    match to {
        Destination::Address(address) => address.to_string(),
        Destination::Name(id)
        | Destination::Interface(id)
        | Destination::Endpoint(id)
        | Destination::PrefixList(id) => id.clone(),
        Destination::Internet => "internet".to_owned(),
    }
}

fn service(protocol: &str, port: Option<u16>) -> Result<Service, Error> {
    let port = port.unwrap_or(DEFAULT_PORT);
    match protocol.to_ascii_lowercase().as_str() {
        "tcp" | "6" => Ok(Service::tcp(port)),
        "udp" | "17" => Ok(Service::udp(port)),
        "icmp" | "1" | "icmpv6" | "58" => Ok(Service::ping()),
        "-1" | "all" => Ok(Service::all()),
        other => match other.parse() {
            Ok(number) => Ok(Service::of_protocol(number)),
            Err(_) => Err(Error::new(
                Code::Usage,
                format!("there is no protocol {protocol}"),
                "use tcp, udp, icmp, the number of a protocol, or -1 for all",
            )),
        },
    }
}

fn pull_hosts(image: &str) -> Option<PullHosts> {
    PullHosts::of(&ImageRef::parse(image)?.host()?)
}

fn not_ecr(image: &str) -> Error {
    Error::new(
        Code::BadInput,
        format!("{image} is not an image of an ECR registry"),
        "name it in full: pull:ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG",
    )
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;
    use crate::snapshot_dir::Loaded;

    /// Two nodes in a subnet that leads nowhere.
    fn world(route: Option<&str>) -> Snapshot {
        let node = |number: u8| json!({"NetworkInterfaceId": format!("eni-{number}"), "SubnetId": "subnet-1", "VpcId": "vpc-1", "PrivateIpAddress": format!("10.0.0.{number}"), "Groups": [{"GroupId": "sg-1"}], "Association": {"PublicIp": format!("52.0.0.{number}")}, "Attachment": {"InstanceId": format!("i-{number}")}});
        let open = |egress: bool| json!({"RuleNumber": 100, "Egress": egress, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"});
        let routes: Vec<_> = route
            .map(|target| json!({"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": target}))
            .into_iter()
            .collect();
        let text = json!({
            "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
            "Subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24"}],
            "RouteTables": [{"RouteTableId": "rtb-1", "VpcId": "vpc-1", "Associations": [{"Main": true}], "Routes": routes}],
            "NetworkAcls": [{"NetworkAclId": "acl-1", "VpcId": "vpc-1", "IsDefault": true, "Entries": [open(true), open(false)]}],
            "SecurityGroups": [{"GroupId": "sg-1", "VpcId": "vpc-1", "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}],
            "NetworkInterfaces": [node(10), node(11)],
        });
        let mut loaded = Loaded::default();
        snapshot_dir::read_file(&mut loaded, Path::new("world.json"), &text.to_string()).unwrap();
        loaded.snapshot
    }

    fn question(from: &str, to: &str, all: bool) -> Question {
        let args = TraceArgs {
            from: from.into(),
            to: to.into(),
            protocol: "tcp".into(),
            all,
            world: WorldArgs::default(),
            diff: None,
        };
        Question::of(&args).unwrap()
    }

    fn ask(from: &str, to: &str, all: bool) -> Answer {
        question(from, to, all).ask(&world(None)).unwrap()
    }

    #[test]
    fn the_document_has_the_shape_of_the_contract() {
        let document = serde_json::to_value(ask("i-10", "8.8.8.8:443", false)).unwrap();
        assert_eq!(document["format_version"], "1.0");
        assert_eq!(document["verdict"], "blocked");
        assert_eq!(document["blocked_at"], "rtb-1");
        assert_eq!(document["reason"], "no-route");
        assert_eq!(document["return"], json!([]));
        assert_eq!(document["unknown"], json!([]));
        assert_eq!(document["forward"][0], json!({"kind": "instance", "id": "i-10"}));
        assert_eq!(
            document["forward"][2],
            json!({"kind": "security-group", "id": "sg-1", "direction": "egress", "rule": "all 0.0.0.0/0", "decision": "allow"})
        );
        let open = question("i-10", "8.8.8.8", false).ask(&world(Some("igw-1"))).unwrap();
        let open = serde_json::to_value(open).unwrap();
        assert_eq!(
            (&open["verdict"], &open["blocked_at"], &open["reason"]),
            (&json!("reachable"), &json!(null), &json!(null))
        );
        assert_eq!(
            open["forward"][5],
            json!({"kind": "route", "id": "rtb-1", "destination": "0.0.0.0/0", "target": "igw-1"}).clone()
        );
    }

    fn drawn(text: &str, expected: Expect) {
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        expected.assert_eq(text);
    }

    #[test]
    fn the_path_is_drawn_with_the_hop_that_stops_it() {
        let answer = ask("i-10", "8.8.8.8", false);
        drawn(
            &render::trace::answer(&answer, Paint { on: false }),
            expect![[r#"
            i-10 (eni-10) -> 8.8.8.8 tcp/443: blocked
              forward
              | instance           i-10
              | network-interface  eni-10
              + security-group     sg-1
                  egress allow by all 0.0.0.0/0
              | subnet             subnet-1
              + network-acl        acl-1
                  egress allow by 100
              X route              rtb-1
                  DENY
                  rtb-1 has no route to 8.8.8.8
              blocked at rtb-1 (no-route)
        "#]],
        );
        assert!(render::trace::answer(&answer, Paint { on: true }).contains("\u{1b}[31mX\u{1b}[0m"));
    }

    #[test]
    fn alike_interfaces_are_traced_once() {
        let answer = ask("subnet-1", "8.8.8.8", true);
        let counts: Vec<_> = answer.flows.iter().map(|flow| (flow.from.as_str(), flow.sources)).collect();
        assert_eq!(counts, [("i-10 (eni-10)", 2)]);
        assert_eq!(ask("subnet-1", "8.8.8.8", false).others, 1);
    }

    #[test]
    fn changes_between_snapshots_are_told_flow_by_flow() {
        let question = question("subnet-1", "8.8.8.8", true);
        let answer = |route| question.ask(&world(route)).unwrap();
        let changes = Changes::between(answer(None), answer(Some("igw-1")));
        drawn(
            &render::trace::changes(&changes, Paint { on: false }),
            expect![[r#"
            i-10 (eni-10) -> 8.8.8.8
              before blocked
                     blocked at rtb-1 (no-route)
              after  reachable

            1 flows changed, 0 are the same
        "#]],
        );
        let same = Changes::between(answer(None), answer(None));
        assert_eq!((same.changes.len(), same.unchanged), (0, 1));
    }

    #[test]
    fn a_pull_has_four_flows() {
        let answer = ask("i-10", "pull:111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1", false);
        let flows: Vec<_> = answer.flows.iter().map(|flow| flow.to.as_str()).collect();
        assert_eq!(
            flows,
            [
                "dns",
                "api.ecr.eu-west-1.amazonaws.com",
                "111122223333.dkr.ecr.eu-west-1.amazonaws.com",
                "prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com"
            ]
        );
        let args = TraceArgs {
            from: "i-10".into(),
            to: "pull:nginx".into(),
            protocol: "tcp".into(),
            all: false,
            world: WorldArgs::default(),
            diff: None,
        };
        assert!(Question::of(&args).unwrap_err().hint().contains("pull:ACCOUNT.dkr.ecr"));
    }

    #[test]
    fn protocols_are_named_or_numbered() {
        assert_eq!(service("TCP", Some(22)).unwrap(), Service::tcp(22));
        assert_eq!(service("udp", None).unwrap(), Service::udp(443));
        assert_eq!(service("icmp", None).unwrap(), Service::ping());
        assert_eq!(service("-1", None).unwrap(), Service::all());
        assert_eq!(service("50", None).unwrap(), Service::of_protocol(50));
        assert_eq!(service("gre", None).unwrap_err().code, Code::Usage);
    }
}
