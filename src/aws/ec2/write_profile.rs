//! Instance profiles of instances: given and taken.

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::RequestId;
use aws_sdk_ec2::types::{
    IamInstanceProfileAssociation, IamInstanceProfileAssociationState as State,
    IamInstanceProfileSpecification,
};

use super::filter;
use crate::actions::Sent;
use crate::aws::{Reason, Refused, Writer};

const TAKE: &str = "ec2:DisassociateIamInstanceProfile";

impl Writer {
    /// `ec2:AssociateIamInstanceProfile`. The id of the association is assigned.
    ///
    /// # Errors
    /// What AWS answered; `IncorrectState` where the instance has a profile already.
    pub async fn associate_instance_profile(
        &self,
        instance: &str,
        profile_arn: &str,
    ) -> Result<Sent, Refused> {
        let profile = IamInstanceProfileSpecification::builder().arn(profile_arn).build();
        let ask = self.ec2.associate_iam_instance_profile().instance_id(instance);
        let answer = ask.iam_instance_profile(profile).send().await;
        let answer = answer.map_err(refused("ec2:AssociateIamInstanceProfile", instance))?;
        let request_id = answer.request_id().map(str::to_owned);
        let made = answer.iam_instance_profile_association;
        Ok(Sent { request_id, assigned_id: made.and_then(|made| made.association_id) })
    }

    /// `ec2:DisassociateIamInstanceProfile`: of the association that was made, or where its id is not known, of the one that
    /// the instance has. One with another id was made by somebody else, and stays.
    ///
    /// # Errors
    /// What AWS answered.
    pub async fn disassociate_instance_profile(
        &self,
        instance: &str,
        known: Option<&str>,
    ) -> Result<Sent, Refused> {
        // What was made is known by its id, even while it does not show.
        let id = match known {
            Some(known) => known.to_owned(),
            None => self.association(instance).await?.association_id.unwrap_or_default(),
        };
        let answer = self.ec2.disassociate_iam_instance_profile().association_id(id).send().await;
        let answer = answer.map_err(refused(TAKE, instance))?;
        Ok(Sent { request_id: answer.request_id().map(str::to_owned), assigned_id: None })
    }

    async fn association(&self, instance: &str) -> Result<IamInstanceProfileAssociation, Refused> {
        const CALL: &str = "ec2:DescribeIamInstanceProfileAssociations";
        let ask = self.ec2.describe_iam_instance_profile_associations();
        let answer = ask.filters(filter("instance-id", [instance])).send().await;
        let found = answer.map_err(refused(CALL, instance))?.iam_instance_profile_associations;
        let lasts = |association: &IamInstanceProfileAssociation| {
            !matches!(association.state, Some(State::Disassociating | State::Disassociated))
        };
        found.unwrap_or_default().into_iter().find(lasts).ok_or_else(|| Refused {
            resource: instance.to_owned(),
            reason: Reason::NotFound,
            ..Refused::never_sent(CALL, "the instance has no instance profile")
        })
    }
}

fn refused<E>(call: &'static str, instance: &str) -> impl Fn(SdkError<E>) -> Refused
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    move |error| Refused::from_sdk(call, instance, &error)
}
