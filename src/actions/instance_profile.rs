//! The instance profile of an instance: through it a node gets its role.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Found, Kind, Resource, Risk, Sent};
use crate::aws::{Reader, Refused, Writer};
use crate::collect;
use crate::error::Error;
use crate::model::ec2::IamInstanceProfile;
use crate::model::{Arn, Seen, Snapshot};
use crate::pulls::Target;

/// That an instance has an instance profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileAssociation {
    /// The name of the profile, without its path.
    pub profile_name: String,
}

/// Which instance, which profile, and the role in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// Names partition, region, account and id.
    pub instance_arn: String,
    /// With path and account.
    pub profile_arn: String,
    /// The role in the profile: whoever associates it passes the role on.
    pub role_arn: String,
    /// The id of the association that was made, known afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub association_id: Option<String>,
}

impl Address {
    fn instance_id(&self) -> &str {
        name(&self.instance_arn)
    }

    fn profile_name(&self) -> &str {
        name(&self.profile_arn)
    }
}

impl Resource for ProfileAssociation {
    type Address = Address;

    const KINDS: &'static [Kind] = &[Kind::AssociateInstanceProfile, Kind::DisassociateInstanceProfile];

    const READS: &'static [&'static str] = &["ec2:DescribeInstances", "iam:GetInstanceProfile"];

    fn kind(_before: Option<&Self>, after: Option<&Self>) -> Kind {
        match after {
            Some(_) => Kind::AssociateInstanceProfile,
            None => Kind::DisassociateInstanceProfile,
        }
    }

    fn arn(at: &Address) -> String {
        at.instance_arn.clone()
    }

    fn summary(at: &Address, _before: Option<&Self>, after: Option<&Self>) -> String {
        let (id, profile, role) = (at.instance_id(), at.profile_name(), name(&at.role_arn));
        match after {
            Some(_) => format!("give instance {id} instance profile {profile} with role {role}"),
            None => format!("take instance profile {profile} from instance {id}"),
        }
    }

    fn get(world: &Snapshot, at: &Address) -> Found<Self> {
        let (id, profile) = (at.instance_id(), at.profile_name());
        let Some(instance) = world.ec2.instances.get(id) else {
            return match world.missing::<()>("Reservations", "ec2:DescribeInstances", id) {
                Seen::Unread(because) => Found::Unread(because),
                Seen::Known(()) | Seen::Absent => {
                    Found::Deleted(format!("instance {id} does not exist any more"))
                }
            };
        };
        if instance.is_gone() {
            return Found::Deleted(format!("instance {id} has ended"));
        }
        match role_in(world, at) {
            Seen::Known(role) if role == at.role_arn => {}
            Seen::Known(role) => {
                return Found::Gone(format!("instance profile {profile} has role {role} now"));
            }
            Seen::Absent => return Found::Gone(format!("instance profile {profile} has no role any more")),
            Seen::Unread(because) => return Found::Unread(because),
        }
        match &instance.iam_instance_profile {
            None => Found::State(None),
            Some(known) if known.arn == at.profile_arn => {
                Found::State(Some(ProfileAssociation { profile_name: profile.to_owned() }))
            }
            Some(other) => Found::Gone(format!("IamInstanceProfile of {id} is {} now", other.arn)),
        }
    }

    fn set(world: &mut Snapshot, at: &Address, state: Option<Self>) {
        if let Some(instance) = Arc::make_mut(&mut world.ec2.instances).get_mut(at.instance_id()) {
            instance.iam_instance_profile =
                state.map(|_| IamInstanceProfile { arn: at.profile_arn.clone(), id: None });
        }
    }

    async fn look(aws: &Reader, at: &Address) -> Result<Snapshot, Error> {
        collect::instance_again(aws, at.instance_id(), at.profile_name()).await
    }

    async fn send(
        aws: &Writer,
        at: &Address,
        _before: Option<&Self>,
        after: Option<&Self>,
    ) -> Result<Sent, Refused> {
        match after {
            Some(_) => aws.associate_instance_profile(at.instance_id(), &at.profile_arn).await,
            None => aws.disassociate_instance_profile(at.instance_id(), at.association_id.as_deref()).await,
        }
    }

    fn permissions(at: &Address, before: Option<&Self>, after: Option<&Self>) -> Vec<(&'static str, String)> {
        let everything = "*".to_owned();
        let mut all = vec![
            // EC2 descriptions know no resources.
            ("ec2:DescribeInstances", everything.clone()),
            ("iam:GetInstanceProfile", at.profile_arn.clone()),
            (Self::kind(before, after).api_call(), at.instance_arn.clone()),
        ];
        match after {
            Some(_) => all.push(("iam:PassRole", at.role_arn.clone())),
            None => all.push(("ec2:DescribeIamInstanceProfileAssociations", everything)),
        }
        all
    }

    fn assign(at: &mut Address, id: &str) {
        at.association_id = Some(id.to_owned());
    }

    fn lines(_at: &Address, state: Option<&Self>) -> Vec<String> {
        state.iter().map(|state| format!("instance profile {}", state.profile_name)).collect()
    }

    fn allowed(at: &Address, before: Option<&Self>, after: Option<&Self>) -> Result<(), String> {
        let instance: Arn = at.instance_arn.parse().map_err(|error| format!("instance_arn: {error}"))?;
        let role: Arn = at.role_arn.parse().map_err(|error| format!("role_arn: {error}"))?;
        if instance.service != "ec2" || !instance.resource.starts_with("instance/i-") {
            return Err(format!("{} is not the ARN of an instance", at.instance_arn));
        }
        let is_home = |arn: &Arn| arn.account == instance.account && arn.partition == instance.partition;
        if role.service != "iam" || !role.resource.starts_with("role/") || !is_home(&role) {
            return Err(format!("{} is not a role of the account of the instance", at.role_arn));
        }
        let profile: Arn = at.profile_arn.parse().map_err(|error| format!("profile_arn: {error}"))?;
        if profile.service != "iam"
            || !profile.resource.starts_with("instance-profile/")
            || !is_home(&profile)
        {
            return Err(format!("{} is not an instance profile of the account", at.profile_arn));
        }
        match (before, after) {
            (None, Some(state)) | (Some(state), None) if state.profile_name == at.profile_name() => Ok(()),
            _ => Err("a profile is given to an instance that has none, or taken back".to_owned()),
        }
    }

    fn planned_for(_before: Option<&Self>, after: Option<&Self>, _target: &Target) -> Result<(), String> {
        after
            .map(|_| ())
            .ok_or_else(|| "a plan gives instance profiles; only a rollback takes them".to_owned())
    }

    fn risk(at: &Address, _before: Option<&Self>, after: Option<&Self>) -> (Risk, String) {
        let id = at.instance_id();
        let role = name(&at.role_arn);
        match after {
            Some(_) => (
                Risk::Medium,
                format!(
                    "{id} has no role today; it gets {role}, that of its node group, and every pod on it that reaches the metadata service can use it, as on its other nodes"
                ),
            ),
            None => (Risk::Medium, format!("{id} loses role {role}")),
        }
    }
}

/// The role in the profile, as it is read.
fn role_in(world: &Snapshot, at: &Address) -> Seen<String> {
    match world.instance_profiles.get(&at.profile_arn) {
        Some(profile) => profile.roles.first().map_or(Seen::Absent, |role| Seen::Known(role.arn.clone())),
        None => world.missing("InstanceProfiles", "iam:GetInstanceProfile", at.profile_name()),
    }
}

/// The last part of an ARN.
fn name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ec2::Instance;
    use crate::model::iam::InstanceProfile;

    fn at(profile: &str) -> Address {
        Address {
            instance_arn: "arn:aws:ec2:eu-west-1:111122223333:instance/i-1".to_owned(),
            profile_arn: profile.to_owned(),
            role_arn: "arn:aws:iam::111122223333:role/node".to_owned(),
            association_id: None,
        }
    }

    const PROFILE: &str = "arn:aws:iam::111122223333:instance-profile/eks/node";

    fn given() -> ProfileAssociation {
        ProfileAssociation { profile_name: "node".to_owned() }
    }

    #[test]
    fn the_engine_gives_a_profile_of_the_account_to_an_instance_without_one() {
        let allowed = |profile: &str| {
            let forward = ProfileAssociation::allowed(&at(profile), None, Some(&given()));
            let back = ProfileAssociation::allowed(&at(profile), Some(&given()), None);
            assert_eq!(forward, back, "the way back");
            forward
        };
        assert_eq!(allowed(PROFILE), Ok(()));
        for foreign in [
            "arn:aws:iam::999988887777:instance-profile/node",
            "arn:aws-cn:iam::111122223333:instance-profile/node",
            "arn:aws:iam::111122223333:instance-profile/other",
            "arn:aws:iam::111122223333:role/node",
            "node",
        ] {
            assert!(allowed(foreign).is_err(), "{foreign}");
        }
        assert!(ProfileAssociation::allowed(&at(PROFILE), None, None).is_err());
        assert!(ProfileAssociation::allowed(&at(PROFILE), Some(&given()), Some(&given())).is_err());
    }

    #[test]
    fn what_is_not_read_is_not_gone_and_the_profile_must_hold_the_role() {
        let at = at(PROFILE);
        let mut world = Snapshot::default();
        assert!(matches!(ProfileAssociation::get(&world, &at), Found::Unread(_)));
        world.keys.insert("Reservations".to_owned());
        assert!(matches!(ProfileAssociation::get(&world, &at), Found::Deleted(_)));
        world.put(serde_json::from_str::<Instance>(r#"{"InstanceId":"i-1"}"#).unwrap());
        assert!(matches!(ProfileAssociation::get(&world, &at), Found::Unread(_)));
        let profile = |role: &str| {
            let role = format!(r#"[{{"RoleName":"r","Arn":"arn:aws:iam::111122223333:role/{role}"}}]"#);
            let json = format!(r#"{{"InstanceProfileName":"node","Arn":"{PROFILE}","Roles":{role}}}"#);
            serde_json::from_str::<InstanceProfile>(&json).unwrap()
        };
        world.put(profile("admin"));
        assert!(matches!(ProfileAssociation::get(&world, &at), Found::Gone(_)));
        world.put(profile("node"));
        assert_eq!(ProfileAssociation::get(&world, &at), Found::State(None));
        let before = world.clone();
        ProfileAssociation::set(&mut world, &at, Some(given()));
        assert_eq!(ProfileAssociation::get(&world, &at), Found::State(Some(given())));
        ProfileAssociation::set(&mut world, &at, None);
        assert_eq!(world, before);
    }
}
