//! The only files that name a type of the AWS SDK: one per service, and what they have in common.
//!
//! What diagnosing and planning get is a [`Reader`], which has no method that changes anything. Only the
//! engine that applies and rolls back gets a [`Writer`].

mod calls;
mod ec2;
mod ecr;
mod eks;
mod iam;
mod kubernetes_token;
mod organizations;
mod pages;
mod refused;
mod route53;
mod s3;
mod sts;

pub use calls::{Calls, Tally};
pub use ec2::{EndpointChanges, NewEndpoint};
pub use ecr::Registry;
pub use iam::{Simulated, Simulation};
pub use refused::{Reason, Refused};
pub use s3::{Bucket, Object, Only, Put};

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::retry::{RetryConfig, RetryMode};
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};

use crate::error::{Code, Error};

/// How every call names us in its user agent.
const APP: &str = "ecr-fix";

/// Where to read, and with whose credentials: everything else is the SDK's own environment.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// Overrides `AWS_REGION` and the profile.
    pub region: Option<String>,
    /// Overrides `AWS_PROFILE`.
    pub profile: Option<String>,
    /// The ARN of the role to assume for what is in an account, by account.
    pub account_roles: BTreeMap<String, String>,
}

/// Reads from AWS. It has no mutating method.
#[derive(Clone, Debug)]
pub struct Reader {
    region: String,
    accounts: Accounts,
    calls: Calls,
    ec2: aws_sdk_ec2::Client,
    iam: aws_sdk_iam::Client,
    eks: aws_sdk_eks::Client,
    organizations: aws_sdk_organizations::Client,
    route53: aws_sdk_route53::Client,
}

/// Changes AWS. Only the engine has one.
#[derive(Clone, Debug)]
pub struct Writer {
    calls: Calls,
    accounts: Accounts,
    ec2: aws_sdk_ec2::Client,
    iam: aws_sdk_iam::Client,
    run: String,
}

/// The way into the accounts of registries: with the roles that were named, or as the caller.
#[derive(Clone, Debug)]
struct Accounts {
    config: SdkConfig,
    roles: BTreeMap<String, String>,
    sts: aws_sdk_sts::Client,
}

impl Connection {
    /// Loads credentials and region as the SDK does; no request is sent yet, except where the credentials need one.
    ///
    /// # Errors
    /// No region is configured.
    pub async fn reader(&self) -> Result<Reader, Error> {
        let config = self.load().await?;
        // Reads may wait: where AWS has had enough of us, all calls of a service slow down together.
        let retries = config.retry_config().cloned().unwrap_or_else(RetryConfig::standard);
        let retries = retries.with_retry_mode(RetryMode::Adaptive);
        let config = config.into_builder().retry_config(retries).build();
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let calls = Calls::default();
        macro_rules! client {
            ($service:ident) => {{
                let config = $service::config::Builder::from(&config).interceptor(calls.clone());
                $service::Client::from_conf(config.build())
            }};
        }
        Ok(Reader {
            region,
            ec2: client!(aws_sdk_ec2),
            iam: client!(aws_sdk_iam),
            eks: client!(aws_sdk_eks),
            accounts: Accounts {
                sts: client!(aws_sdk_sts),
                roles: self.account_roles.clone(),
                config: config.clone(),
            },
            organizations: client!(aws_sdk_organizations),
            route53: client!(aws_sdk_route53),
            calls,
        })
    }

    /// As [`Connection::reader`], for the engine.
    ///
    /// # Errors
    /// No region is configured.
    pub async fn writer(&self) -> Result<Writer, Error> {
        Ok(Writer::with(self.load().await?, self.account_roles.clone(), String::new()))
    }

    async fn load(&self) -> Result<SdkConfig, Error> {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(Duration::from_secs(20))
            .operation_timeout(Duration::from_secs(60));
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts.build());
        if let Ok(name) = AppName::new(APP) {
            loader = loader.app_name(name);
        }
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        }
        let config = loader.load().await;
        if config.region().is_none() {
            return Err(Error::new(
                Code::BadInput,
                "no AWS region is configured",
                "name one with --region, or set AWS_REGION",
            ));
        }
        Ok(config)
    }
}

impl Writer {
    fn with(config: SdkConfig, roles: BTreeMap<String, String>, run: String) -> Writer {
        let calls = Calls::default();
        let ec2 = aws_sdk_ec2::config::Builder::from(&config).interceptor(calls.clone()).build();
        let iam = aws_sdk_iam::config::Builder::from(&config).interceptor(calls.clone()).build();
        Writer {
            calls,
            ec2: aws_sdk_ec2::Client::from_conf(ec2),
            iam: aws_sdk_iam::Client::from_conf(iam),
            accounts: Accounts { sts: aws_sdk_sts::Client::new(&config), roles, config },
            run,
        }
    }

    /// The same, for a run: what it makes carries the id of the run in the tag `ecr-fix:run`, and CloudTrail shows the
    /// id in the user agent of every call, as `app/ecr-fix-RUN`.
    #[must_use]
    pub fn of_run(&self, run: &str) -> Writer {
        let Accounts { config, roles, .. } = &self.accounts;
        let name = AppName::new(format!("{APP}-{run}")).ok().or(config.app_name().cloned());
        let mut config = config.clone().into_builder();
        config.set_app_name(name);
        Writer::with(config.build(), roles.clone(), run.to_owned())
    }

    /// The requests that were made so far.
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// The id of the run that writes.
    pub fn run(&self) -> &str {
        &self.run
    }
}

impl Reader {
    /// The requests that were made so far.
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// The region that is read.
    pub fn region(&self) -> &str {
        &self.region
    }
}
