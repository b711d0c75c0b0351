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
        _ => format!("give {component} a way to ECR: NAT gateways, or endpoints for ecr.api, ecr.dkr and S3"),
    };
    vec![step, format!("read more: ecr-fix explain {cause}")]
}
