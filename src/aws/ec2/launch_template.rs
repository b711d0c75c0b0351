//! Launch templates, without what instances run when they start.

use aws_sdk_ec2::types;

use crate::aws::pages::{Unclear, Understand, all, one, pages};
use crate::aws::{Reader, Refused};
use crate::model::ec2::{
    IamInstanceProfile, LaunchTemplateData, LaunchTemplateVersion, MetadataOptions, TemplateInterface,
};

impl Reader {
    /// `ec2:DescribeLaunchTemplateVersions` of one version.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn launch_template(
        &self,
        id: &str,
        version: &str,
    ) -> Result<Vec<LaunchTemplateVersion>, Refused> {
        pages(
            LaunchTemplateVersion::CALL,
            id,
            |token| {
                let ask = self.ec2.describe_launch_template_versions().launch_template_id(id);
                ask.versions(version).set_next_token(token).send()
            },
            |page| (page.launch_template_versions, page.next_token),
        )
        .await
    }
}

impl Understand<types::LaunchTemplateVersion> for LaunchTemplateVersion {
    fn understand(row: types::LaunchTemplateVersion) -> Result<LaunchTemplateVersion, Unclear> {
        Ok(LaunchTemplateVersion {
            launch_template_id: row.launch_template_id.unwrap_or_default(),
            version_number: row.version_number.unwrap_or_default(),
            launch_template_data: one(row.launch_template_data)?.unwrap_or_default(),
        })
    }
}

impl Understand<types::ResponseLaunchTemplateData> for LaunchTemplateData {
    fn understand(row: types::ResponseLaunchTemplateData) -> Result<LaunchTemplateData, Unclear> {
        let profile = row.iam_instance_profile;
        Ok(LaunchTemplateData {
            security_group_ids: row.security_group_ids.unwrap_or_default(),
            security_groups: row.security_groups.unwrap_or_default(),
            network_interfaces: all(row.network_interfaces)?,
            iam_instance_profile: profile
                .map(|profile| IamInstanceProfile { arn: profile.arn.unwrap_or_default(), id: None }),
            metadata_options: row.metadata_options.map(|options| MetadataOptions {
                http_endpoint: options.http_endpoint.map(|state| state.as_str().to_owned()),
                http_tokens: options.http_tokens.map(|state| state.as_str().to_owned()),
                http_put_response_hop_limit: options.http_put_response_hop_limit.map(i64::from),
            }),
        })
    }
}

impl Understand<types::LaunchTemplateInstanceNetworkInterfaceSpecification> for TemplateInterface {
    fn understand(
        row: types::LaunchTemplateInstanceNetworkInterfaceSpecification,
    ) -> Result<TemplateInterface, Unclear> {
        Ok(TemplateInterface {
            device_index: row.device_index.map(i64::from),
            groups: row.groups.unwrap_or_default(),
            associate_public_ip_address: row.associate_public_ip_address,
        })
    }
}
