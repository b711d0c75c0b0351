//! All pull flows of many nodes: time, memory, and how both grow.
//!
//! `cargo bench --bench network` prints a table for 1x, 2x and 4x of 10,000 nodes in 500 subnets with 2,000 security groups,
//! once with nodes that are alike within their node group and once with no two nodes alike.

// The worlds are made here, and a benchmark that cannot run shall stop.
#![allow(clippy::expect_used, clippy::indexing_slicing)]

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use ecr_fix::model::EcrHost;
use ecr_fix::network::names::PullHosts;
use ecr_fix::network::{Network, Source, Verdict, pull};
use ecr_fix::snapshot_dir::{self, Loaded};

const VPCS: usize = 10;

fn main() {
    // `cargo test --benches` passes other arguments: then one small world is enough to show that this still runs.
    let scales: &[usize] =
        if std::env::args().any(|argument| argument == "--bench") { &[1, 2, 4] } else { &[] };
    println!(
        "{:>8} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "nodes", "subnets", "groups", "classes", "file MB", "read s", "compile s", "flows s", "peak MB"
    );
    for alike in [true, false] {
        measure(&World { nodes: 100, subnets: 20, groups: 40, alike });
        for scale in scales {
            measure(&World { nodes: 10_000 * scale, subnets: 500 * scale, groups: 2_000 * scale, alike });
        }
    }
}

struct World {
    nodes: usize,
    subnets: usize,
    groups: usize,
    alike: bool,
}

fn measure(world: &World) {
    let text = world.text();
    reset_peak();
    let mut loaded = Loaded::default();
    let read = timed(|| {
        snapshot_dir::read_file(&mut loaded, Path::new("world.json"), &text)
            .expect("the world is well-formed")
    });
    for vpc in 0..VPCS {
        let attributes = format!(
            r#"{{"VpcId":"vpc-{vpc}","EnableDnsSupport":{{"Value":true}},"EnableDnsHostnames":{{"Value":true}}}}"#
        );
        snapshot_dir::read_file(&mut loaded, Path::new("attributes.json"), &attributes).expect("well-formed");
    }
    let mut network = None;
    let compile = timed(|| network = Some(Network::of(&loaded.snapshot)));
    let network = network.expect("compiled above");
    let registry = EcrHost::parse("111122223333.dkr.ecr.eu-west-1.amazonaws.com").expect("well-formed");
    let hosts = PullHosts::of(&registry).expect("a registry that can exist");
    let sources: Vec<Source> =
        (0..world.nodes).map(|node| Source::interface(format!("eni-{node}"))).collect();
    let mut flows = Vec::new();
    let time = timed(|| flows = pull::flows_by_class(&network, &sources, &hosts));
    let answered: usize = flows.iter().map(|(class, _)| class.len()).sum();
    assert_eq!(answered, world.nodes);
    assert!(flows.iter().all(|(_, flows)| flows.verdict() == Verdict::Reachable));
    println!(
        "{:>8} {:>8} {:>8} {:>8} {:>9.1} {:>9.3} {:>9.3} {:>9.3} {:>9}",
        world.nodes,
        world.subnets,
        world.groups,
        flows.len(),
        text.len() as f64 / 1e6,
        read.as_secs_f64(),
        compile.as_secs_f64(),
        time.as_secs_f64(),
        peak_megabytes()
    );
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// Linux keeps the peak of the resident memory, and forgets it on request.
fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn peak_megabytes() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.map_or_else(|| "?".to_owned(), |kilobytes| (kilobytes / 1000).to_string())
}

impl World {
    /// Private nodes with a NAT gateway in each VPC, endpoints for ECR, a gateway endpoint for S3.
    fn text(&self) -> String {
        let mut files = String::from("{");
        self.list(&mut files, "Vpcs", VPCS, |vpc| {
            format!(
                r#"{{"VpcId":"vpc-{vpc}","CidrBlock":"10.{}.0.0/12","DhcpOptionsId":"default"}}"#,
                vpc * 16
            )
        });
        self.list(&mut files, "Subnets", self.subnets, |subnet| {
            format!(r#"{{"SubnetId":"subnet-{subnet}","VpcId":"vpc-{}","CidrBlock":"{}/23","AvailabilityZone":"eu-west-1{}"}}"#, subnet % VPCS, self.base(subnet), ["a", "b", "c"][subnet % 3])
        });
        self.list(&mut files, "RouteTables", VPCS, |vpc| {
            format!(
                r#"{{"RouteTableId":"rtb-{vpc}","VpcId":"vpc-{vpc}","Associations":[{{"Main":true}}],"Routes":[{{"DestinationCidrBlock":"10.{}.0.0/12","GatewayId":"local"}},{{"DestinationPrefixListId":"pl-s3","GatewayId":"vpce-s3-{vpc}"}}]}}"#,
                vpc * 16
            )
        });
        self.list(&mut files, "NetworkAcls", VPCS, |vpc| {
            let entry = |number: usize, egress: bool, block: &str, action: &str| format!(r#"{{"RuleNumber":{number},"Egress":{egress},"Protocol":"-1","RuleAction":"{action}","CidrBlock":"{block}"}}"#);
            let mut entries: Vec<String> = (0..9).map(|deny| entry(10 + deny, false, &format!("192.0.{deny}.0/24"), "deny")).collect();
            entries.extend([entry(100, true, "0.0.0.0/0", "allow"), entry(100, false, "0.0.0.0/0", "allow")]);
            format!(r#"{{"NetworkAclId":"acl-{vpc}","VpcId":"vpc-{vpc}","IsDefault":true,"Entries":[{}]}}"#, entries.join(","))
        });
        self.list(&mut files, "SecurityGroups", self.groups, |group| {
            let ranges: Vec<String> = (0..20).map(|range| format!(r#"{{"CidrIp":"172.{}.{}.0/24"}}"#, 16 + range % 16, (group + range) % 256)).collect();
            format!(
                r#"{{"GroupId":"sg-{group}","VpcId":"vpc-{}","IpPermissions":[{{"IpProtocol":"tcp","FromPort":443,"ToPort":443,"IpRanges":[{{"CidrIp":"10.0.0.0/8"}},{}]}}],"IpPermissionsEgress":[{{"IpProtocol":"tcp","FromPort":8080,"ToPort":8090,"IpRanges":[{}]}},{{"IpProtocol":"tcp","FromPort":443,"ToPort":443,"IpRanges":[{{"CidrIp":"10.0.0.0/8"}}],"PrefixListIds":[{{"PrefixListId":"pl-s3"}}]}}]}}"#,
                group % VPCS,
                ranges.join(","),
                ranges.join(",")
            )
        });
        self.list(&mut files, "NetworkInterfaces", self.nodes + 2 * VPCS, |interface| {
            self.interface(interface)
        });
        self.list(&mut files, "VpcEndpoints", 3 * VPCS, |endpoint| self.endpoint(endpoint));
        let cidrs: Vec<String> = (0..12).map(|block| format!(r#""52.{}.0.0/17""#, 92 + block)).collect();
        let _ = write!(
            files,
            r#""PrefixLists":[{{"PrefixListId":"pl-s3","PrefixListName":"com.amazonaws.eu-west-1.s3","Cidrs":[{}]}}],"#,
            cidrs.join(",")
        );
        files.push_str(r#""InternetGateways":[]}"#);
        files
    }

    fn list(&self, files: &mut String, key: &str, count: usize, row: impl Fn(usize) -> String) {
        let rows: Vec<String> = (0..count).map(row).collect();
        let _ = write!(files, r#""{key}":[{}],"#, rows.join(","));
    }

    fn base(&self, subnet: usize) -> String {
        let number = (10_u32 << 24) + ((subnet % VPCS) as u32 * (1 << 20)) + (subnet / VPCS) as u32 * 512;
        std::net::Ipv4Addr::from(number).to_string()
    }

    fn interface(&self, interface: usize) -> String {
        let endpoint = interface >= self.nodes;
        let (id, subnet) = match interface.checked_sub(self.nodes) {
            Some(endpoint) => (format!("eni-endpoint-{endpoint}"), endpoint % VPCS),
            None => (format!("eni-{interface}"), interface % self.subnets),
        };
        let first: std::net::Ipv4Addr = self.base(subnet).parse().expect("an address");
        let offset = if endpoint { 4 + interface - self.nodes } else { 100 + interface / self.subnets };
        let address = std::net::Ipv4Addr::from(u32::from(first) + offset as u32);
        let vpc = subnet % VPCS;
        let in_vpc = self.groups / VPCS;
        let kind = if self.alike { subnet / VPCS } else { interface / VPCS };
        let groups = [kind % in_vpc, (kind / in_vpc + kind * 7 + 1) % in_vpc]
            .map(|group| format!(r#"{{"GroupId":"sg-{}"}}"#, group * VPCS + vpc));
        format!(
            r#"{{"NetworkInterfaceId":"{id}","SubnetId":"subnet-{subnet}","VpcId":"vpc-{vpc}","PrivateIpAddress":"{address}","Groups":[{}]}}"#,
            groups.join(",")
        )
    }

    fn endpoint(&self, endpoint: usize) -> String {
        let (vpc, which) = (endpoint % VPCS, endpoint / VPCS);
        let rest = match which {
            0 => r#""VpcEndpointType":"Gateway","ServiceName":"com.amazonaws.eu-west-1.s3""#.to_owned(),
            _ => format!(
                r#""VpcEndpointType":"Interface","PrivateDnsEnabled":true,"ServiceName":"com.amazonaws.eu-west-1.ecr.{}","SubnetIds":["subnet-{vpc}"],"Groups":[{{"GroupId":"sg-{vpc}"}}],"NetworkInterfaceIds":["eni-endpoint-{}"]"#,
                ["api", "dkr"][which - 1],
                (which - 1) * VPCS + vpc
            ),
        };
        let id = if which == 0 { format!("vpce-s3-{vpc}") } else { format!("vpce-{which}-{vpc}") };
        format!(r#"{{"VpcEndpointId":"{id}","VpcId":"vpc-{vpc}","State":"available",{rest}}}"#)
    }
}
