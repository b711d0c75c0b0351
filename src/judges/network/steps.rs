//! What a person does about a network, in words and commands.

use crate::actions::cluster_vpc::vpc_of_cluster;
use crate::judges::quoted;
use crate::model::Partition;
use crate::pulls::World;

/// What a person does, with the names of this world.
pub(super) fn steps(world: &World<'_>, cause: &str, component: &str) -> Vec<String> {
    let vpc = vpc_of_cluster(world.snapshot, &world.target.cluster).unwrap_or_else(|| "VPC_ID".to_owned());
    let (region, vpc, component) = (&quoted(&world.target.region), &quoted(&vpc), &quoted(component));
    let read_more = format!("read more: ecr-fix explain {cause}");
    by_hand(region, vpc, cause, component)
        .unwrap_or_else(|| vec![as_planned(region, cause, component)])
        .into_iter()
        .chain([read_more])
        .collect()
}

/// Where a person does something else than a plan does.
fn by_hand(region: &str, vpc: &str, cause: &str, component: &str) -> Option<Vec<String>> {
    let dns = Partition::of_region(region).dns_suffix;
    Some(match cause {
        "private-hosted-zone-shadow" => vec![
            format!("see what the zone is for: aws route53 list-resource-record-sets --hosted-zone-id {component}"),
            format!(
                "where nothing in {vpc} needs it: aws route53 disassociate-vpc-from-hosted-zone --hosted-zone-id \
                 {component} --vpc VPCRegion={region},VPCId={vpc}"
            ),
            "otherwise add the missing records to the zone: an alias of the endpoint for each name of ECR below it".to_owned(),
        ],
        "vpce-shared-dns-missing" => vec![
            format!(
                "in the account of {component}, see which zones it has: aws route53 list-hosted-zones-by-name \
                 --dns-name ecr.{region}.{dns}"
            ),
            format!(
                "let {vpc} see each of them, api.ecr.{region}.{dns} and dkr.ecr.{region}.{dns} (with a \
                 record *): aws route53 associate-vpc-with-hosted-zone --hosted-zone-id ZONE_ID --vpc \
                 VPCRegion={region},VPCId={vpc}"
            ),
        ],
        "vpce-not-available" => vec![
            format!(
                "see why: aws ec2 describe-vpc-endpoints --region {region} --vpc-endpoint-ids {component} --query \
                 'VpcEndpoints[].[State,FailureReason,LastError]'"
            ),
            "wait where it is pending; have it accepted where it waits for that; otherwise delete it, and plan again".to_owned(),
        ],
        "vpce-fips-or-dualstack-name" => vec![format!(
            "see which names {component} has: aws ec2 describe-vpc-endpoints --region {region} --vpc-endpoint-ids \
             {component} --query 'VpcEndpoints[].DnsEntries[].DnsName'; name images by one of them"
        )],
        "igw-no-public-ip" => vec![
            format!(
                "see who is without: aws ec2 describe-network-interfaces --region {region} --filters \
                 Name=vpc-id,Values={vpc} --query \
                 'NetworkInterfaces[].[NetworkInterfaceId,SubnetId,Association.PublicIp]'"
            ),
            format!(
                "let the nodes that come next have public addresses, and replace this one: aws ec2 \
                 modify-subnet-attribute --region {region} --subnet-id SUBNET_ID --map-public-ip-on-launch"
            ),
            format!("or run nodes in private subnets of {vpc}, behind a NAT gateway or endpoints for ecr.api, ecr.dkr and S3"),
        ],
        "egress-only-igw-missing" => vec![
            format!("aws ec2 create-egress-only-internet-gateway --region {region} --vpc-id {vpc}"),
            format!(
                "aws ec2 create-route --region {region} --route-table-id {component} --destination-ipv6-cidr-block \
                 ::/0 --egress-only-internet-gateway-id EIGW_ID"
            ),
        ],
        "ipv6-only-egress" => vec![
            format!(
                "name images over IPv6, where the nodes' credential provider knows such names: \
                 ecr-fix explain ipv6-only-egress"
            ),
            format!("or give {component} a way for IPv4: a NAT gateway, or endpoints for ecr.api, ecr.dkr and S3"),
        ],
        "nat-gateway-broken" => vec![
            format!("see its state: aws ec2 describe-nat-gateways --region {region} --filter Name=vpc-id,Values={vpc}"),
            "plan endpoints, which need no NAT gateway: ecr-fix plan --prefer endpoints; or make a new one and plan \
             again: ecr-fix plan --nat NAT_ID"
                .to_owned(),
        ],
        "tgw-egress-broken" if component.starts_with("tgw-rtb-") => vec![
            format!(
                "see where it leads: aws ec2 search-transit-gateway-routes --region {region} \
                 --transit-gateway-route-table-id {component} --filters Name=state,Values=active,blackhole"
            ),
            format!(
                "whoever owns {component} adds the route that is missing: aws ec2 create-transit-gateway-route \
                 --region {region} --transit-gateway-route-table-id {component} --destination-cidr-block 0.0.0.0/0 \
                 --transit-gateway-attachment-id ATTACHMENT_ID"
            ),
        ],
        "tgw-egress-broken" if component.starts_with("rtb-") => vec![
            format!("see where it leads: aws ec2 describe-route-tables --region {region} --route-table-ids {component}"),
            "talk to whoever owns the next hop".to_owned(),
        ],
        "network-firewall-block" => vec![format!(
            "ask the owner of {component} to let these names pass (TLS server names): api.ecr.{region}.{dns}, \
             ecr.{region}.{dns}, .dkr.ecr.{region}.{dns}, prod-{region}-starport-layer-bucket.s3.{region}.{dns}"
        )],
        "dns-server-unreachable" => vec![
            format!("see which servers the DHCP options name: aws ec2 describe-dhcp-options --region {region}"),
            format!("let UDP and TCP port 53 pass at {component} to them"),
        ],
        "tgw-egress-broken" => vec![format!("talk to whoever owns {component}: the way ends there")],
        _ => return None,
    })
}

/// Where a person does what a plan would do, if it could.
fn as_planned(region: &str, cause: &str, component: &str) -> String {
    match cause {
        "vpce-ecr-api-missing" | "vpce-ecr-dkr-missing" => {
            let service = if cause == "vpce-ecr-api-missing" { "ecr.api" } else { "ecr.dkr" };
            format!(
                "make the interface endpoint {service} in {component}, with private DNS, one subnet per zone of the \
                 nodes, and a security group that admits port 443 from them: aws ec2 create-vpc-endpoint --region \
                 {region} --vpc-id {component} --vpc-endpoint-type Interface --service-name SERVICE --subnet-ids … \
                 --security-group-ids … --private-dns-enabled"
            )
        }
        "vpce-s3-missing" => format!(
            "make the S3 gateway endpoint in {component}, with the route tables of the nodes: aws ec2 \
             create-vpc-endpoint --region {region} --vpc-id {component} --service-name com.amazonaws.{region}.s3 \
             --route-table-ids …"
        ),
        "s3-gateway-route-table-missing" => format!(
            "associate the route tables of the nodes: aws ec2 modify-vpc-endpoint --region {region} \
             --vpc-endpoint-id {component} --add-route-table-ids …"
        ),
        "vpce-private-dns-disabled" => format!(
            "switch private DNS on: aws ec2 modify-vpc-endpoint --region {region} --vpc-endpoint-id {component} \
             --private-dns-enabled"
        ),
        "vpc-dns-support-disabled" => format!(
            "switch DNS on for the whole VPC: aws ec2 modify-vpc-attribute --region {region} --vpc-id {component} \
             --enable-dns-support Value=true"
        ),
        "vpce-sg-blocks-443" => format!(
            "admit the nodes: aws ec2 authorize-security-group-ingress --region {region} --group-id {component} \
             --protocol tcp --port 443 --source-group NODE_GROUP"
        ),
        "sg-egress-blocked" | "fargate-sg-blocks" | "sg-egress-missing-s3-prefix-list" => format!(
            "let port 443 out of {component}, to the endpoints, the S3 prefix list or the internet: aws ec2 \
             authorize-security-group-egress --region {region} --group-id {component} --ip-permissions …"
        ),
        "nacl-blocked" => format!(
            "let port 443 out of, and ports 1024-65535 into, the subnets of {component}: aws ec2 \
             create-network-acl-entry --region {region} --network-acl-id {component} …"
        ),
        "cross-region-private-pull" => format!(
            "copy the image to a registry in {region} (ECR can replicate it) and name that one, or give {component} a \
             way to the internet"
        ),
        _ => format!("give {component} a way to ECR: NAT gateways, or endpoints for ecr.api, ecr.dkr and S3"),
    }
}
