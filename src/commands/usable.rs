//! Everything about a plan that can be refused before anything is written.

use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::error::{Code, Error};
use crate::plan::{Action, Plan};
use crate::run::{AllowedSigners, Signer, World};

/// What needs no look at the world: the digest that was approved, the time, and what the engine makes at all.
///
/// # Errors
/// Why the plan is refused.
pub fn check(plan: &Plan, expected_digest: Option<&str>) -> Result<(), Error> {
    if let Some(expected) = expected_digest.filter(|expected| *expected != plan.digest) {
        return Err(Error::new(
            Code::StalePlan,
            "this is not the plan that was approved",
            "apply the plan that was reviewed, or have this one reviewed",
        )
        .because(format!("its digest is {}, expected was {expected}", plan.digest)));
    }
    let expires_at: Timestamp = plan.expires_at.parse().map_err(|error: jiff::Error| {
        Error::new(Code::BadInput, "the plan says not when it expires", "make it again").because(error)
    })?;
    if expires_at <= Timestamp::now() {
        return Err(Error::new(
            Code::StalePlan,
            format!("the plan expired at {}", plan.expires_at),
            "make it again with `ecr-fix plan --out FILE`",
        ));
    }
    plan.actions.iter().try_for_each(|action| check_allowed(action, plan))
}

/// The engine makes no change that the planner could not have made, whoever wrote the plan, and shows what it makes.
fn check_allowed(action: &Action, plan: &Plan) -> Result<(), Error> {
    let target = &plan.target;
    let change = action.change()?;
    let because = match change.allowed().and_then(|()| change.planned_for(target)) {
        Err(because) => because,
        Ok(()) if change.account() != target.account && !change.is_in_any_account() => {
            format!("{} is not in account {}", change.resource(), target.account)
        }
        Ok(()) if change.opens_internet() && !plan.options.allow_internet_egress => {
            "it opens a way to the whole internet, and the plan was not made with --allow-internet-egress"
                .to_owned()
        }
        Ok(()) if crate::plan::file::fingerprint(&change) != action.precondition.fingerprint => {
            "its fingerprint is not that of its own precondition".to_owned()
        }
        Ok(()) if !action.shows(&change) => "what it shows is not what it does".to_owned(),
        Ok(()) => return Ok(()),
    };
    Err(Error::new(
        Code::BadInput,
        format!("action {} ({}) is not one that ecr-fix makes", action.id, action.kind.as_str()),
        "nothing was changed; make a plan with `ecr-fix plan --out FILE`",
    )
    .because(because))
}

/// A cluster that is named must be that of the plan: whoever names another one means another one.
///
/// # Errors
/// It is another one.
pub fn check_cluster(named: Option<&str>, plan: &Plan) -> Result<(), Error> {
    match named.filter(|named| *named != plan.target.cluster) {
        None => Ok(()),
        Some(named) => Err(Error::new(
            Code::BadInput,
            format!("the plan is for cluster {}, the command for {named}", plan.target.cluster),
            "leave --cluster away, or name the plan of that cluster",
        )),
    }
}

/// Who is about to change AWS; nobody in the sandbox.
///
/// # Errors
/// The credentials cannot be used, or are not those of the plan's account and region.
pub async fn caller_of(world: &World, plan: &Plan) -> Result<Option<String>, Error> {
    let World::Aws { reader, .. } = world else { return Ok(None) };
    let caller =
        reader.caller().await.map_err(|refused| refused.error("the AWS credentials cannot be used"))?;
    if caller.account != plan.target.account {
        return Err(Error::new(
            Code::BadInput,
            format!(
                "the plan is for account {}, the credentials are of {}",
                plan.target.account, caller.account
            ),
            "name the right --profile",
        ));
    }
    if reader.region() != plan.target.region {
        return Err(Error::new(
            Code::BadInput,
            format!("the plan is for region {}, the command for {}", plan.target.region, reader.region()),
            format!("leave --region away, or name {}", plan.target.region),
        ));
    }
    Ok(Some(caller.arn))
}

/// Whose signature stands in the file beside a plan, `PLAN.sig`.
///
/// # Errors
/// There is none that counts.
pub fn check_signature(signers: &Path, file: &Path, text: &str, plan: &Plan) -> Result<Signer, Error> {
    let read = |path: &Path, hint: &str| {
        std::fs::read_to_string(path).map_err(|error| {
            Error::new(Code::ApprovalNeeded, format!("{} cannot be read", path.display()), hint)
                .because(error)
        })
    };
    let listed = read(signers, "name a file of allowed signers, as ssh-keygen(1) describes it")?;
    let listed = AllowedSigners::parse(&listed, &TimeZone::system()).map_err(|because| {
        Error::new(
            Code::ApprovalNeeded,
            format!("{} is not a file of allowed signers", signers.display()),
            "write it as ssh-keygen(1) describes under ALLOWED SIGNERS",
        )
        .because(because)
    })?;
    let mut beside = file.as_os_str().to_owned();
    beside.push(".sig");
    let hint = format!("somebody else signs it: ssh-keygen -Y sign -n ecr-fix -f KEY {}", file.display());
    let signature = read(Path::new(&beside), &hint)?;
    let signer = listed.check(text.as_bytes(), &signature, plan.planned_by.as_deref(), Timestamp::now());
    signer.map_err(|because| {
        Error::new(Code::ApprovalNeeded, "the plan carries no signature that counts", hint).because(because)
    })
}
