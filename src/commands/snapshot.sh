#!/bin/sh
# Saves everything that `ecr-fix diagnose` reads of one EKS cluster as JSON files, with only the AWS CLI and,
# where it works, kubectl. It reads and changes nothing, in AWS and in the cluster.
#
#   sh snapshot.sh CLUSTER DIRECTORY [IMAGE...]
#
# Region and credentials are those of the AWS CLI (AWS_REGION, AWS_PROFILE, ...). For images in another account,
# set ACCOUNT_PROFILE_444455556666 to the name of an AWS CLI profile that may read there.
# Read the files before you hand them on: they hold the names, addresses and policies of your network, and no
# secrets: no environment of pods, no Secrets, no user data, no tokens.
set -u
umask 077

if [ $# -lt 2 ]; then
    echo "usage: sh snapshot.sh CLUSTER DIRECTORY [IMAGE...]" >&2
    exit 64
fi
cluster=$1
out=$2
shift 2
mkdir -p -- "$out" || exit 1
if [ -n "$(ls -A -- "$out")" ]; then
    echo "error: $out is not empty" >&2
    exit 1
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT TERM
: >"$work/unread"
: >"$work/not-found"
: >"$work/keys"
: >"$work/roles"
: >"$work/policies"
AWS_PAGER=
export AWS_PAGER
# Version 1 of the AWS CLI knows only the older name.
if [ -n "${AWS_REGION:-}" ]; then
    AWS_DEFAULT_REGION=$AWS_REGION
    export AWS_DEFAULT_REGION
fi

# quote TEXT: as a JSON string.
quote() {
    # Without a line sed would print nothing.
    printf '%s\n' "$1" | tr -d '\000-\011\013-\037' | sed 's/\\/\\\\/g; s/"/\\"/g' | paste -s -d ' ' - |
        sed 's/^/"/; s/$/"/'
}

# refused CALL RESOURCE: keeps why the last call failed. What does not exist is an answer too.
refused() {
    code=$(sed -n 's/.*An error occurred (\([A-Za-z.]*\)).*/\1/p' "$work/error" | head -n 1)
    case $code in
        NoSuchEntity | *NotFound | *NotFoundException | AWSOrganizationsNotInUseException)
            echo "$(quote "$1 $2")" >>"$work/not-found"
            return
            ;;
        '') code="no answer" ;;
    esac
    echo "not read: $1 $2: $code" >&2
    echo "{\"source\": $(quote "$1"), \"resource\": $(quote "$2"), \"because\": $(quote "$code"), \"hides\": []}" \
        >>"$work/unread"
}

# save FILE KEY CALL RESOURCE ARGUMENTS...: the answer of an AWS CLI command as a file.
save() {
    file=$out/$1.json key=$2 call=$3 resource=$4
    shift 4
    if aws "$@" --output json >"$work/answer" 2>"$work/error"; then
        mv -- "$work/answer" "$file"
        echo "$key" >>"$work/keys"
    else
        refused "$call" "$resource"
        return 1
    fi
}

# ask CALL RESOURCE ARGUMENTS...: the words of an answer, one a line; nothing where there is none.
ask() {
    call=$1 resource=$2
    shift 2
    if aws "$@" --output text >"$work/words" 2>"$work/error"; then
        tr '\t' '\n' <"$work/words" | sed '/^None$/d; /^$/d'
    else
        refused "$call" "$resource"
        return 1
    fi
}

# field FILE NAME: the values of a field of a saved answer; the AWS CLI prints one field a line.
field() {
    if [ -f "$out/$1.json" ]; then
        sed -n "s/^ *\"$2\": \"\([^\"]*\)\",\{0,1\}\$/\1/p" "$out/$1.json"
    fi
}

identity=$(aws sts get-caller-identity --query '[Account, Arn]' --output text) || exit 1
account=$(echo "$identity" | cut -f1)
caller=$(echo "$identity" | cut -f2)
partition=$(echo "$caller" | cut -d: -f2)

aws eks describe-cluster --name "$cluster" --output json >"$out/cluster.json" || exit 1
echo cluster >>"$work/keys"
region=$(field cluster arn | sed -n '/:cluster\//p' | cut -d: -f4)
vpc=$(field cluster vpcId)
field cluster nodeRoleArn >>"$work/roles"
echo "reading cluster $cluster in $region ..." >&2

if ask eks:ListNodegroups "$cluster" eks list-nodegroups --cluster-name "$cluster" --query 'nodegroups[]' \
    >"$work/nodegroups"; then
    echo nodegroup >>"$work/keys"
fi
while read -r group; do
    save "nodegroup-$group" nodegroup eks:DescribeNodegroup "$cluster/$group" \
        eks describe-nodegroup --cluster-name "$cluster" --nodegroup-name "$group" &&
        field "nodegroup-$group" nodeRole >>"$work/roles"
done <"$work/nodegroups"

# Who may enter the cluster: nodes whose role may not never join. A cluster that goes by aws-auth alone has no entries.
case $(field cluster authenticationMode) in
    *API*)
        save accessEntries accessEntries eks:ListAccessEntries "$cluster" eks list-access-entries \
            --cluster-name "$cluster" --query "{clusterName: '$cluster', accessEntries: accessEntries}"
        ;;
esac

# The launch templates that node groups name, without their user data.
while read -r group; do
    part=$(sed -n '/"launchTemplate": {/,/}/p' "$out/nodegroup-$group.json" 2>/dev/null)
    template=$(echo "$part" | sed -n 's/.*"id": "\([^"]*\)".*/\1/p')
    version=$(echo "$part" | sed -n 's/.*"version": "\([^"]*\)".*/\1/p')
    [ -z "$template" ] || [ -z "$version" ] ||
        save "LaunchTemplateVersions-$template-$version" LaunchTemplateVersions ec2:DescribeLaunchTemplateVersions \
            "$template" ec2 describe-launch-template-versions --launch-template-id "$template" --versions "$version" \
            --query 'LaunchTemplateVersions[].{LaunchTemplateId: LaunchTemplateId, VersionNumber: VersionNumber,
                LaunchTemplateData: LaunchTemplateData.{SecurityGroupIds: SecurityGroupIds, SecurityGroups: SecurityGroups,
                NetworkInterfaces: NetworkInterfaces, MetadataOptions: MetadataOptions}} |
                {LaunchTemplateVersions: @}'
done <"$work/nodegroups"

if ask eks:ListFargateProfiles "$cluster" eks list-fargate-profiles --cluster-name "$cluster" \
    --query 'fargateProfileNames[]' >"$work/profiles"; then
    echo fargateProfile >>"$work/keys"
fi
while read -r profile; do
    save "fargateProfile-$profile" fargateProfile eks:DescribeFargateProfile "$cluster/$profile" \
        eks describe-fargate-profile --cluster-name "$cluster" --fargate-profile-name "$profile" &&
        field "fargateProfile-$profile" podExecutionRoleArn >>"$work/roles"
done <"$work/profiles"

# network FILE KEY OPERATION FILTER ARGUMENTS...: rows of the VPC.
network() {
    name=$1 key=$2 operation=$3 filter=$4
    shift 4
    save "$name" "$key" "ec2:$operation" "$vpc" ec2 "$@" --filters "Name=$filter,Values=$vpc"
}

network Vpcs Vpcs DescribeVpcs vpc-id describe-vpcs
save EnableDnsSupport EnableDnsSupport ec2:DescribeVpcAttribute "$vpc" \
    ec2 describe-vpc-attribute --vpc-id "$vpc" --attribute enableDnsSupport
save EnableDnsHostnames EnableDnsHostnames ec2:DescribeVpcAttribute "$vpc" \
    ec2 describe-vpc-attribute --vpc-id "$vpc" --attribute enableDnsHostnames
network Subnets Subnets DescribeSubnets vpc-id describe-subnets
network RouteTables RouteTables DescribeRouteTables vpc-id describe-route-tables
network SecurityGroups SecurityGroups DescribeSecurityGroups vpc-id describe-security-groups
network NetworkAcls NetworkAcls DescribeNetworkAcls vpc-id describe-network-acls
network VpcEndpoints VpcEndpoints DescribeVpcEndpoints vpc-id describe-vpc-endpoints
# The services that a pull needs endpoints for, by all names that they have in any partition.
services=
for service in ecr.api ecr.dkr s3; do
    for prefix in com.amazonaws cn.com.amazonaws eu.amazonaws gov.ic.c2s gov.sgov.sc2s uk.adc-e.cloud gov.ic.hci.csp; do
        services="$services${services:+,}'$prefix.$region.$service'"
    done
done
save ServiceDetails ServiceDetails ec2:DescribeVpcEndpointServices '' \
    ec2 describe-vpc-endpoint-services --query "{ServiceDetails: ServiceDetails[?contains([$services], ServiceName)]}"
save NatGateways NatGateways ec2:DescribeNatGateways "$vpc" \
    ec2 describe-nat-gateways --filter "Name=vpc-id,Values=$vpc"
network InternetGateways InternetGateways DescribeInternetGateways attachment.vpc-id describe-internet-gateways
save EgressOnlyInternetGateways EgressOnlyInternetGateways ec2:DescribeEgressOnlyInternetGateways "$vpc" \
    ec2 describe-egress-only-internet-gateways \
    --query "{EgressOnlyInternetGateways: EgressOnlyInternetGateways[?Attachments[?VpcId=='$vpc']]}"
network NetworkInterfaces NetworkInterfaces DescribeNetworkInterfaces vpc-id describe-network-interfaces
# The names of rules; EC2 takes 200 groups in one call.
field SecurityGroups GroupId | sort -u >"$work/groups"
first=1
while groups=$(sed -n "$first,$((first + 199))p" "$work/groups" | paste -s -d , -) && [ -n "$groups" ]; do
    save "SecurityGroupRules-$first" SecurityGroupRules ec2:DescribeSecurityGroupRules '' \
        ec2 describe-security-group-rules --filters "Name=group-id,Values=$groups"
    first=$((first + 200))
done
save PrefixLists PrefixLists ec2:DescribePrefixLists '' ec2 describe-prefix-lists

save Reservations Reservations ec2:DescribeInstances "$vpc" ec2 describe-instances --filters \
    "Name=vpc-id,Values=$vpc" \
    "Name=tag-key,Values=kubernetes.io/cluster/$cluster,eks:cluster-name,aws:eks:cluster-name,eks:eks-cluster-name" \
    Name=instance-state-name,Values=pending,running,stopping,stopped && echo InstanceProfiles >>"$work/keys"
field Reservations Arn | sed -n 's,.*:instance-profile/\(.*/\)\{0\,1\},,p' | sort -u >"$work/instance-profiles"
while read -r profile; do
    save "InstanceProfiles-$profile" InstanceProfiles iam:GetInstanceProfile "$profile" \
        iam get-instance-profile --instance-profile-name "$profile" \
        --query '{InstanceProfiles: [InstanceProfile]}' &&
        field "InstanceProfiles-$profile" Arn | sed -n '/:role\//p' >>"$work/roles"
done <"$work/instance-profiles"

# The profiles through which nodes that have none could get the role of their group.
while read -r group; do
    bare=$(ask ec2:DescribeInstances "$vpc" ec2 describe-instances --filters "Name=vpc-id,Values=$vpc" \
        "Name=tag:eks:cluster-name,Values=$cluster" "Name=tag:eks:nodegroup-name,Values=$group" \
        Name=instance-state-name,Values=pending,running,stopping,stopped \
        --query 'Reservations[].Instances[?!IamInstanceProfile].InstanceId[]')
    role=$(field "nodegroup-$group" nodeRole)
    role=${role##*/}
    if [ -n "$bare" ] && [ -n "$role" ]; then
        save "InstanceProfiles-of-$role" InstanceProfiles iam:ListInstanceProfilesForRole "$role" \
            iam list-instance-profiles-for-role --role-name "$role" --query '{InstanceProfiles: InstanceProfiles}'
    fi
done <"$work/nodegroups"

# named FILE KEY OPERATION FILTER COMMAND IDS: rows that routes and rules name, where they name any.
named() {
    ids=$(echo "$6" | sed '/^$/d' | sort -u | paste -s -d , -)
    [ -z "$ids" ] || save "$1" "$2" "ec2:$3" "$ids" ec2 "$5" --filters "Name=$4,Values=$ids"
}
dhcp=$(field Vpcs DhcpOptionsId | sed '/^default$/d')
named DhcpOptions DhcpOptions DescribeDhcpOptions dhcp-options-id describe-dhcp-options "$dhcp"
named VpcPeeringConnections VpcPeeringConnections DescribeVpcPeeringConnections vpc-peering-connection-id \
    describe-vpc-peering-connections "$(field RouteTables VpcPeeringConnectionId)"
named VpnGateways VpnGateways DescribeVpnGateways vpn-gateway-id describe-vpn-gateways \
    "$(field RouteTables GatewayId | sed -n '/^vgw-/p')"

gateways=$(field RouteTables TransitGatewayId)
named TransitGatewayAttachments TransitGatewayAttachments DescribeTransitGatewayAttachments transit-gateway-id \
    describe-transit-gateway-attachments "$gateways"
named TransitGatewayVpcAttachments TransitGatewayVpcAttachments DescribeTransitGatewayVpcAttachments \
    transit-gateway-id describe-transit-gateway-vpc-attachments "$gateways"
if named TransitGatewayRouteTables TransitGatewayRouteTables DescribeTransitGatewayRouteTables transit-gateway-id \
    describe-transit-gateway-route-tables "$gateways" && [ -n "$gateways" ]; then
    field TransitGatewayRouteTables TransitGatewayRouteTableId | sort -u >"$work/tables"
    while read -r table; do
        save "Routes-$table" Routes ec2:SearchTransitGatewayRoutes "$table" \
            ec2 search-transit-gateway-routes --transit-gateway-route-table-id "$table" \
            --filters Name=type,Values=static,propagated
    done <"$work/tables"
fi

# Prefix lists that AWS prints no blocks of.
{
    field RouteTables DestinationPrefixListId
    field SecurityGroups PrefixListId
} | sort -u >"$work/lists"
{ grep -q '"Cidrs"' "$out/PrefixLists.json" 2>/dev/null && field PrefixLists PrefixListId; } |
    sort -u >"$work/lists-of-aws"
comm -23 "$work/lists" "$work/lists-of-aws" >"$work/managed-lists"
named ManagedPrefixLists PrefixLists DescribeManagedPrefixLists prefix-list-id describe-managed-prefix-lists \
    "$(cat "$work/managed-lists")"
while read -r list; do
    save "Entries-$list" Entries ec2:GetManagedPrefixListEntries "$list" \
        ec2 get-managed-prefix-list-entries --prefix-list-id "$list"
done <"$work/managed-lists"

# Private zones, and the records of those that answer for names of AWS.
zones="list-hosted-zones-by-vpc --vpc-id $vpc --vpc-region $region"
# shellcheck disable=SC2086
save HostedZoneSummaries HostedZoneSummaries route53:ListHostedZonesByVPC "$vpc" \
    route53 $zones --query "{VPCId: '$vpc', HostedZoneSummaries: HostedZoneSummaries}"
if [ -f "$out/HostedZoneSummaries.json" ]; then
    # shellcheck disable=SC2086
    ask route53:ListHostedZonesByVPC "$vpc" route53 $zones --query \
        "HostedZoneSummaries[?!(Owner.OwningService) && (contains(Name, 'amazonaws.') || ends_with(Name, 'aws.'))].HostedZoneId" \
        >"$work/zones"
    while read -r zone; do
        save "ResourceRecordSets-$zone" ResourceRecordSets route53:ListResourceRecordSets "$zone" \
            route53 list-resource-record-sets --hosted-zone-id "$zone" \
            --query "{HostedZoneId: '$zone', ResourceRecordSets: ResourceRecordSets}"
    done <"$work/zones"
fi

# The organization: what stands above the account, and the policies on every level. Only its management account, and
# those that it names, may read them.
child=$account
if save Organization Organization organizations:DescribeOrganization "$account" organizations describe-organization; then
    : >"$work/targets"
    while [ -n "$child" ]; do
        echo "$child" >>"$work/targets"
        case $child in r-*) break ;; esac
        parent=$(ask organizations:ListParents "$child" organizations list-parents --child-id "$child" \
            --query 'Parents[0].Id') || break
        printf '{"ChildId": "%s", "Parents": [{"Id": "%s"}]}\n' "$child" "$parent" >"$out/Parents-$child.json"
        child=$parent
    done
    for kind in SERVICE_CONTROL_POLICY RESOURCE_CONTROL_POLICY; do
        [ -f "$out/Parents-$account.json" ] || break
        while read -r target; do
            save "Policies-$kind-$target" Policy organizations:ListPoliciesForTarget "$target" \
                organizations list-policies-for-target --target-id "$target" --filter "$kind" \
                --query "{TargetId: '$target', Filter: '$kind', Policies: Policies}" &&
                field "Policies-$kind-$target" Id >>"$work/organization-policies"
        done <"$work/targets"
    done
    sort -u "$work/organization-policies" 2>/dev/null >"$work/documents"
    while read -r policy; do
        save "Policy-$policy" Policy organizations:DescribePolicy "$policy" \
            organizations describe-policy --policy-id "$policy"
    done <"$work/documents"
fi

# Roles, and the policies that bear on them: each part of a role is a file of its own, and they are put together
# again when the files are read.
sort -u "$work/roles" | sed '/^None$/d; /^$/d' >"$work/all-roles"
while read -r arn; do
    role=${arn##*/}
    : >"$work/inline"
    save "RoleDetailList-$role" RoleDetailList iam:GetRole "$arn" iam get-role --role-name "$role" \
        --query "{RoleDetailList: [Role][?Arn=='$arn']}"
    save "RoleDetailList-$role-attached" RoleDetailList iam:ListAttachedRolePolicies "$arn" \
        iam list-attached-role-policies --role-name "$role" --query \
        "{RoleDetailList: [{RoleName: '$role', Arn: '$arn', AttachedManagedPolicies: AttachedPolicies}]}" &&
        field "RoleDetailList-$role-attached" PolicyArn >>"$work/policies"
    field "RoleDetailList-$role" PermissionsBoundaryArn >>"$work/policies"
    # The list of none is told apart from a list that was not read.
    save "RoleDetailList-$role-inline" RoleDetailList iam:ListRolePolicies "$arn" \
        iam list-role-policies --role-name "$role" --query \
        "{RoleDetailList: [{RoleName: '$role', Arn: '$arn', RolePolicyList: PolicyNames[].{PolicyName: @}}]}" &&
        field "RoleDetailList-$role-inline" PolicyName >"$work/inline"
    while read -r policy; do
        save "RoleDetailList-$role-inline-$policy" RoleDetailList iam:GetRolePolicy "$arn" \
            iam get-role-policy --role-name "$role" --policy-name "$policy" --query \
            "{RoleDetailList: [{RoleName: '$role', Arn: '$arn',
              RolePolicyList: [{PolicyName: PolicyName, PolicyDocument: PolicyDocument}]}]}"
    done <"$work/inline"
done <"$work/all-roles"
echo RoleDetailList >>"$work/keys"

if [ -s "$work/all-roles" ]; then
    for name in AmazonEC2ContainerRegistryPullOnly AmazonEC2ContainerRegistryReadOnly \
        AmazonEKSFargatePodExecutionRolePolicy; do
        echo "arn:$partition:iam::aws:policy/$name" >>"$work/policies"
    done
fi
sort -u "$work/policies" | sed '/^None$/d; /^$/d' >"$work/all-policies"
while read -r arn; do
    version=$(ask iam:GetPolicy "$arn" iam get-policy --policy-arn "$arn" --query Policy.DefaultVersionId) || continue
    save "Policies-$(echo "$arn" | tr -c 'A-Za-z0-9\n' -)" Policies iam:GetPolicyVersion "$arn" \
        iam get-policy-version --policy-arn "$arn" --version-id "$version" --query \
        "{Policies: [{PolicyName: '${arn##*/}', Arn: '$arn', DefaultVersionId: '$version', PolicyVersionList: [PolicyVersion]}]}"
done <"$work/all-policies"
echo Policies >>"$work/keys"

# Kubernetes: kubectl prints nothing but what is named here, so that no environment, no annotation but one and no Secret
# gets into a file. Signatures in the messages of kubelets are cut.
cat >"$work/common" <<'END'
{{define "names"}}[{{$s := ""}}{{range .}}{{$s}}{{$s = ","}}{"name":"{{js .name}}"}{{end}}]{{end}}
{{define "labels"}}{ {{$s := ""}}{{range $k, $v := .}}{{$s}}{{$s = ","}}"{{js $k}}":"{{js $v}}"{{end}}}{{end}}
{{define "meta"}}"metadata":{"name":"{{js .name}}"{{with .namespace}},"namespace":"{{js .}}"{{end}}{{with .uid}},"uid":"{{js .}}"{{end}}{{with .labels}},"labels":{{template "labels" .}}{{end}}{{with .ownerReferences}},"ownerReferences":[{{$s := ""}}{{range .}}{{$s}}{{$s = ","}}{"kind":"{{js .kind}}","name":"{{js .name}}"}{{end}}]{{end}}}{{end}}
{{define "containers"}}[{{$s := ""}}{{range .}}{{$s}}{{$s = ","}}{"name":"{{js .name}}"{{with .image}},"image":"{{js .}}"{{end}}}{{end}}]{{end}}
{{define "rules"}}[{{$s := ""}}{{range .}}{{$s}}{{$s = ","}}{"key":"{{js .key}}","operator":"{{js .operator}}","values":[{{$t := ""}}{{range .values}}{{$t}}{{$t = ","}}"{{js .}}"{{end}}]}{{end}}]{{end}}
{{define "states"}}[{{$s := ""}}{{range .}}{{$s}}{{$s = ","}}{"name":"{{js .name}}","state":{ {{with .state}}{{with .running}}"running":{ {{with .startedAt}}"startedAt":"{{js .}}"{{end}}}{{end}}{{with .waiting}}"waiting":{"reason":"{{with .reason}}{{js .}}{{end}}"{{with .message}},"message":"{{js .}}"{{end}}}{{end}}{{with .terminated}}"terminated":{"reason":"{{with .reason}}{{js .}}{{end}}"}{{end}}{{end}}}}{{end}}]{{end}}
{{define "taints"}}[{{$s := ""}}{{range .}}{{$s}}{{$s = ","}}{"key":"{{js .key}}"{{with .value}},"value":"{{js .}}"{{end}},"effect":"{{js .effect}}"}{{end}}]{{end}}
{{define "tolerations"}}[{{$s := ""}}{{range .}}{{$s}}{{$s = ","}}{ {{with .key}}"key":"{{js .}}",{{end}}{{with .value}}"value":"{{js .}}",{{end}}{{with .effect}}"effect":"{{js .}}",{{end}}"operator":"{{with .operator}}{{js .}}{{end}}"}{{end}}]{{end}}
{{define "ids"}}[{{$s := ""}}{{range .}}{{$s}}{{$s = ","}}{"id":"{{js .id}}"}{{end}}]{{end}}
END
cat >"$work/Pod" <<'END'
{{template "meta" .metadata}},"spec":{"containers":{{template "containers" .spec.containers}}
{{with .spec.initContainers}},"initContainers":{{template "containers" .}}{{end}}
{{with .spec.ephemeralContainers}},"ephemeralContainers":{{template "containers" .}}{{end}}
{{with .spec.nodeName}},"nodeName":"{{js .}}"{{end}}
{{with .spec.serviceAccountName}},"serviceAccountName":"{{js .}}"{{end}}
{{with .spec.imagePullSecrets}},"imagePullSecrets":{{template "names" .}}{{end}}
{{with .spec.nodeSelector}},"nodeSelector":{{template "labels" .}}{{end}}
{{with .spec.tolerations}},"tolerations":{{template "tolerations" .}}{{end}}
{{with .spec.affinity}}{{with .nodeAffinity}}{{with .requiredDuringSchedulingIgnoredDuringExecution}},"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{{$s := ""}}{{range .nodeSelectorTerms}}{{$s}}{{$s = ","}}{"matchExpressions":{{template "rules" .matchExpressions}},"matchFields":{{template "rules" .matchFields}}}{{end}}]}}}{{end}}{{end}}{{end}}
},"status":{"phase":"{{with .status.phase}}{{js .}}{{end}}"
{{with .status.initContainerStatuses}},"initContainerStatuses":{{template "states" .}}{{end}}
{{with .status.containerStatuses}},"containerStatuses":{{template "states" .}}{{end}}
{{with .status.ephemeralContainerStatuses}},"ephemeralContainerStatuses":{{template "states" .}}{{end}}}
END
cat >"$work/Node" <<'END'
{{template "meta" .metadata}},"spec":{"taints":{{template "taints" .spec.taints}}{{with .spec.providerID}},"providerID":"{{js .}}"{{end}}},"status":{"addresses":[{{$s := ""}}{{range .status.addresses}}{{$s}}{{$s = ","}}{"type":"{{js .type}}","address":"{{js .address}}"}{{end}}]
{{with .status.conditions}},"conditions":[{{$s := ""}}{{range .}}{{$s}}{{$s = ","}}{"type":"{{js .type}}","status":"{{js .status}}"}{{end}}]{{end}}
{{with .status.nodeInfo}},"nodeInfo":{"architecture":"{{js .architecture}}","operatingSystem":"{{js .operatingSystem}}","containerRuntimeVersion":"{{js .containerRuntimeVersion}}","kubeletVersion":"{{js .kubeletVersion}}"}{{end}}}
END
cat >"$work/Event" <<'END'
{{template "meta" .metadata}},"involvedObject":{"kind":"{{js .involvedObject.kind}}","name":"{{js .involvedObject.name}}"{{with .involvedObject.namespace}},"namespace":"{{js .}}"{{end}}{{with .involvedObject.uid}},"uid":"{{js .}}"{{end}}{{with .involvedObject.fieldPath}},"fieldPath":"{{js .}}"{{end}}},"source":{ {{with .source}}"component":"{{with .component}}{{js .}}{{end}}"{{with .host}},"host":"{{js .}}"{{end}}{{end}}}
{{with .reason}},"reason":"{{js .}}"{{end}}{{with .message}},"message":"{{js .}}"{{end}}{{with .type}},"type":"{{js .}}"{{end}}
{{with .reportingInstance}},"reportingInstance":"{{js .}}"{{end}}{{with .lastTimestamp}},"lastTimestamp":"{{js .}}"{{end}}{{with .eventTime}},"eventTime":"{{js .}}"{{end}}
END
cat >"$work/ServiceAccount" <<'END'
"metadata":{"name":"{{js .metadata.name}}"{{with .metadata.namespace}},"namespace":"{{js .}}"{{end}}{{with .metadata.annotations}}{{with index . "eks.amazonaws.com/ecr-role-arn"}},"annotations":{"eks.amazonaws.com/ecr-role-arn":"{{js .}}"}{{end}}{{end}}}{{with .imagePullSecrets}},"imagePullSecrets":{{template "names" .}}{{end}}
END
cat >"$work/NodeClass" <<'END'
{{template "meta" .metadata}},"spec":{"role":"{{with .spec.role}}{{js .}}{{end}}"{{with .spec.instanceProfile}},"instanceProfile":"{{js .}}"{{end}}},"status":{ {{with .status}}"subnets":{{template "ids" .subnets}},"securityGroups":{{template "ids" .securityGroups}}{{end}}}
END
cp "$work/NodeClass" "$work/EC2NodeClass"

# objects KEY KIND VERSION HIDES ARGUMENTS...: all objects of a kind, as a list with only what is named above.
objects() {
    key=$1 kind=$2 version=$3 hides=$4
    shift 4
    {
        cat "$work/common"
        printf '{"apiVersion":"%s","kind":"%sList","items":[{{$more := ""}}{{range .items}}{{$more}}{{$more = ","}}{\n' \
            "$version" "$kind"
        cat "$work/$kind"
        printf '}{{end}}]}\n'
    } >"$work/template"
    if kubectl get "$@" --request-timeout=60s -o "go-template-file=$work/template" >"$work/answer" 2>"$work/error"; then
        sed -E "s/\\\\'/'/g; s@[Xx]-[Aa][Mm][Zz]-[A-Za-z-]*(\\\\u003[Dd]|=|%3[Dd])([A-Za-z0-9._~%+/-]|\\\\u00[0-9A-Fa-f]{2})*@REDACTED@g" \
            "$work/answer" >"$out/$key.json"
        echo "$key" >>"$work/keys"
    elif grep -q "doesn't have a resource type" "$work/error"; then
        echo "$key" >>"$work/keys"
    else
        code=$(sed -n 's/.*Error from server (\([A-Za-z]*\)).*/\1/p' "$work/error" | head -n 1)
        echo "not read: kubernetes:List$key: ${code:-no answer}" >&2
        echo "{\"source\": \"kubernetes:List$key\", \"because\": \"${code:-no answer}\", \"hides\": [$hides]}" >>"$work/unread"
    fi
}

endpoint=$(field cluster endpoint)
server=
if command -v kubectl >/dev/null 2>&1; then
    server=$(kubectl config view --minify -o 'jsonpath={.clusters[0].cluster.server}' 2>"$work/error")
fi
case $server in
    '') echo "not read: Kubernetes: kubectl has no context" >&2 ;;
    "$endpoint" | https://127.0.0.1* | https://localhost*)
        objects Pods Pod v1 '"repo-policy-missing-cross-account", "image-tag-not-found"' pods -A
        objects Nodes Node v1 '"hybrid-node-credentials", "instance-profile-missing", "node-disk-full"' nodes
        objects Events Event v1 '"pull-secret-expired", "node-disk-full", "registry-host-typo"' events -A \
            --field-selector 'involvedObject.kind=Pod,type!=Normal'
        objects ServiceAccounts ServiceAccount v1 '"pull-secret-missing", "sa-credential-role-denied"' serviceaccounts -A
        objects EC2NodeClasses EC2NodeClass karpenter.k8s.aws/v1 '' ec2nodeclasses.karpenter.k8s.aws
        objects NodeClasses NodeClass eks.amazonaws.com/v1 '' nodeclasses.eks.amazonaws.com
        ;;
    *) echo "not read: Kubernetes: the context of kubectl is at $server, and the cluster at $endpoint" >&2 ;;
esac

# What EKS says beside: of add-ons where nobody could look at pods, and which of the pods that wait for images have a
# role of their own, with which no kubelet pulls.
if [ ! -f "$out/Pods.json" ]; then
    if ask eks:ListAddons "$cluster" eks list-addons --cluster-name "$cluster" --query 'addons[]' >"$work/addons"; then
        echo addon >>"$work/keys"
    fi
    while read -r addon; do
        save "addon-$addon" addon eks:DescribeAddon "$cluster/$addon" \
            eks describe-addon --cluster-name "$cluster" --addon-name "$addon"
    done <"$work/addons"
elif grep -q '"reason":"\(ErrImagePull\|ImagePullBackOff\)"' "$out/Pods.json"; then
    save associations associations eks:ListPodIdentityAssociations "$cluster" \
        eks list-pod-identity-associations --cluster-name "$cluster"
fi

# Registries: the repository, its policy and the image, for each image that was named or that a pod pulls. The
# registries of AWS are left out: nobody may look into them.
if [ -f "$out/Pods.json" ]; then
    for image in $(grep -o '"image":"[^"]*"' "$out/Pods.json" | sed 's/^"image":"//; s/"$//' | sort -u); do
        case $image in
            "$account".dkr*) set -- "$@" "$image" ;;
            *.dkr*/eks/* | *.dkr*/amazon-k8s-cni* | *.dkr*/amazon/*) ;;
            *.dkr[.-]ecr*) set -- "$@" "$image" ;;
        esac
    done
fi
for image in "$@"; do
    host=${image%%/*}
    path=${image#*/}
    registry=${host%%.*}
    place=$(echo "$host" | sed -n 's/^[0-9]\{12\}\.dkr[.-]ecr\(-fips\)\{0,1\}\.\([a-z0-9-]*\)\..*/\2/p')
    if [ -z "$place" ]; then
        echo "skipped: $image is not in a private registry of ECR" >&2
        continue
    fi
    case $path in
        *@*) reference=${path##*@} id=imageDigest=$reference mark=@ path=${path%%@*} path=${path%%:*} ;;
        *:*) reference=${path##*:} id=imageTag=$reference mark=: path=${path%%:*} ;;
        *) reference=latest id=imageTag=latest mark=: ;;
    esac
    eval "profile=\${ACCOUNT_PROFILE_$registry:-}"
    as() {
        if [ -n "$profile" ]; then aws --profile "$profile" "$@"; else aws "$@"; fi
    }
    where="$registry/$place/$path"
    file=$(echo "$where" | tr -c 'A-Za-z0-9\n' -)
    # registry_save FILE CALL RESOURCE ARGUMENTS...
    registry_save() {
        name=$1 call=$2 resource=$3
        shift 3
        if as ecr "$@" --region "$place" --output json >"$work/answer" 2>"$work/error"; then
            mv -- "$work/answer" "$out/$name.json"
        else
            refused "$call" "$resource"
        fi
    }
    if [ "$registry" != "$account" ] && [ -z "$profile" ]; then
        # Another account's registry answers "not found" where it means "not yours".
        echo "An error occurred (NoProfile): set ACCOUNT_PROFILE_$registry" >"$work/error"
        refused ecr:DescribeRepositories "$where"
        refused ecr:GetRepositoryPolicy "$where"
        refused ecr:DescribeImages "$where$mark$reference"
        refused ecr:GetRegistryPolicy "$registry/$place"
        refused ecr:DescribePullThroughCacheRules "$registry/$place"
        continue
    fi
    registry_save "repositories-$file" ecr:DescribeRepositories "$where" \
        describe-repositories --registry-id "$registry" --repository-names "$path"
    key=$(sed -n 's/.*"kmsKey": "\([^"]*\)".*/\1/p' "$out/repositories-$file.json" 2>"$work/error" | head -n 1)
    if [ -n "$key" ]; then
        if as kms describe-key --region "$place" --output json --key-id "$key" >"$work/answer" 2>"$work/error"; then
            mv -- "$work/answer" "$out/KeyMetadata-$file.json"
        else
            refused kms:DescribeKey "$key"
        fi
    fi
    registry_save "policyText-$file" ecr:GetRepositoryPolicy "$where" \
        get-repository-policy --registry-id "$registry" --repository-name "$path" --query \
        "{registryId: '$registry', region: '$place', repositoryName: repositoryName, policyText: policyText}"
    # Tags tell who else writes a policy that may have to be changed: one of another account that names nobody of ours.
    if [ "$registry" != "$account" ] && ! grep -q "$account" "$out/policyText-$file.json" 2>/dev/null; then
        arn="arn:$partition:ecr:$place:$registry:repository/$path"
        registry_save "repositoryTags-$file" ecr:ListTagsForResource "$where" \
            list-tags-for-resource --resource-arn "$arn" --query "{repositoryTags: [{repositoryArn: '$arn', tags: tags}]}"
    fi
    # Archived images too; old versions of the AWS CLI do not know them, and say so without asking.
    describe() {
        as ecr describe-images --registry-id "$registry" --repository-name "$path" --image-ids "$id" \
            --region "$place" --output json "$@" >"$work/answer" 2>"$work/error"
    }
    if describe --filter imageStatus=ANY || { ! grep -q 'An error occurred' "$work/error" && describe; }; then
        mv -- "$work/answer" "$out/imageDetails-$file-$reference.json"
    else
        refused ecr:DescribeImages "$where$mark$reference"
    fi
    if grep -q '"imageManifestMediaType": ".*\(image.index\|manifest.list\)' "$out/imageDetails-$file-$reference.json" \
        2>/dev/null; then
        registry_save "images-$file-$reference" ecr:BatchGetImage "$where$mark$reference" \
            batch-get-image --registry-id "$registry" --repository-name "$path" --image-ids "$id"
    fi
    if [ ! -f "$out/imageDetails-$file-$reference.json" ]; then
        registry_save "lifecyclePolicyText-$file" ecr:GetLifecyclePolicy "$where" \
            get-lifecycle-policy --registry-id "$registry" --repository-name "$path" --query \
            "{registryId: '$registry', region: '$place', repositoryName: repositoryName, lifecyclePolicyText: lifecyclePolicyText}"
    fi
    rules=pullThroughCacheRules-$registry-$place
    registry_save "$rules" ecr:DescribePullThroughCacheRules "$registry/$place" \
        describe-pull-through-cache-rules --registry-id "$registry" \
        --query "{pullThroughCacheRules: pullThroughCacheRules[].merge(@, {region: '$place'})}"
    # A list without rows does not say whose it is.
    if [ -f "$out/$rules.json" ] && [ -z "$(field "$rules" ecrRepositoryPrefix)" ]; then
        echo "$(quote "ecr:DescribePullThroughCacheRules $registry/$place")" >>"$work/not-found"
    fi
    registry_save "policyText-$registry-$place" ecr:GetRegistryPolicy "$registry/$place" \
        get-registry-policy --query "{registryId: '$registry', region: '$place', policyText: policyText}"
done

list() {
    sort -u "$1" | paste -s -d , -
}
cat >"$out/snapshot.json" <<END
{
    "account": $(quote "$account"),
    "region": $(quote "$region"),
    "partition": $(quote "$partition"),
    "caller": $(quote "$caller"),
    "taken_at": $(quote "$(date -u +%Y-%m-%dT%H:%M:%SZ)"),
    "unread": [$(list "$work/unread")],
    "not_found": [$(list "$work/not-found")],
    "keys": [$(sed 's/^/"/; s/$/"/' "$work/keys" | sort -u | paste -s -d , -)]
}
END
echo "saved in $out; diagnose it anywhere: ecr-fix diagnose --snapshot $out" >&2
