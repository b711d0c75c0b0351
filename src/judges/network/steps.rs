//! What a person does about a network, in words and commands.

use crate::model::Partition;
use crate::pulls::World;

/// What a person does, with the names of this world.
pub(super) fn steps(world: &World<'_>, cause: &str, component: &str) -> Vec<String> {
    let region = &world.target.region;
    let suffix = Partition::of_region(region).dns_suffix;
    let step = match cause {
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
        "network-firewall-block" => format!(
            "ask the owner of {component} to let these names pass (TLS server names): api.ecr.{region}.{suffix}, \
             ecr.{region}.{suffix}, .dkr.ecr.{region}.{suffix}, prod-{region}-starport-layer-bucket.s3.{region}.{suffix}"
        ),
        "igw-no-public-ip" => format!(
            "give the nodes another way out than {component}: a subnet with a NAT gateway, or endpoints for ecr.api, \
             ecr.dkr and S3; or let new nodes of their subnet have public addresses: aws ec2 modify-subnet-attribute \
             --region {region} --subnet-id SUBNET --map-public-ip-on-launch"
        ),
        "egress-only-igw-missing" => format!(
            "lead IPv6 out of {component}: aws ec2 create-egress-only-internet-gateway --region {region} --vpc-id VPC, \
             where there is none, then aws ec2 create-route --region {region} --route-table-id {component} \
             --destination-ipv6-cidr-block ::/0 --egress-only-internet-gateway-id eigw-…"
        ),
        "ipv6-only-egress" => format!(
            "{component} leads out over IPv6 alone, and this host has IPv4 addresses alone: give it a NAT gateway, or \
             endpoints for ecr.api, ecr.dkr and S3; or name the image ACCOUNT.dkr-ecr.{region}.on.aws/…, whose layers \
             still need IPv4"
        ),
        "nat-gateway-broken" => format!(
            "see why {component} does not work, and lead the route tables to one that does: aws ec2 \
             describe-nat-gateways --region {region} --nat-gateway-ids {component}; to replace it changes the address \
             that others may have on their lists"
        ),
        "tgw-egress-broken" => format!(
            "ask whoever runs the network behind {component} for the way to and from the internet: aws ec2 \
             search-transit-gateway-routes, and the attachments of the VPC; or make endpoints for ecr.api, ecr.dkr and S3"
        ),
        "dns-server-unreachable" => format!(
            "let UDP and TCP port 53 pass at {component} to the DNS servers that the DHCP options name, or name servers \
             that are there: aws ec2 describe-dhcp-options --region {region} (another set is for the whole VPC)"
        ),
        "private-hosted-zone-shadow" => format!(
            "add the missing records to the private zone, or take it off the VPC: aws route53 \
             list-resource-record-sets --hosted-zone-id {component}, then aws route53 \
             disassociate-vpc-from-hosted-zone --hosted-zone-id {component} --vpc VPCRegion={region},VPCId=VPC"
        ),
        "vpce-shared-dns-missing" => format!(
            "make private zones for the endpoint {component} and associate them with this VPC: api.ecr.{region}.{suffix}, \
             and dkr.ecr.{region}.{suffix} with a record `*`, both aliases of the endpoint (aws route53 \
             create-hosted-zone, associate-vpc-with-hosted-zone); S3 needs a gateway endpoint in the VPC itself"
        ),
        "vpce-not-available" => format!(
            "see what {component} waits for: aws ec2 describe-vpc-endpoints --region {region} --vpc-endpoint-ids \
             {component} --query 'VpcEndpoints[].[State,FailureReason,LastError]'; pendingAcceptance: its owner accepts it"
        ),
        "vpce-fips-or-dualstack-name" => format!(
            "{component} answers for ACCOUNT.dkr.ecr.{region}.{suffix} alone: name the image so in the pod, or give the \
             nodes a way to the internet"
        ),
        "vpce-s3-interface-only" => format!(
            "make the gateway endpoint for S3 beside {component}: aws ec2 create-vpc-endpoint --region {region} --vpc-id \
             VPC --service-name com.amazonaws.{region}.s3 --route-table-ids …"
        ),
        _ => format!("give {component} a way to ECR: NAT gateways, or endpoints for ecr.api, ecr.dkr and S3"),
    };
    vec![step, format!("read more: ecr-fix explain {cause}")]
}
