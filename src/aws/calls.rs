//! Which calls were made, and how long they took: for `-v`, and for the display of progress.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

/// Counts every request of a connection, each try of a call as one.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    made: Arc<Mutex<BTreeMap<(String, String), Tally>>>,
    retries: Arc<AtomicUsize>,
}

/// The requests of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many were answered, or failed.
    pub count: usize,
    /// How long all of them took together; they run at the same time.
    pub time: Duration,
}

impl Calls {
    /// How many so far.
    pub fn count(&self) -> usize {
        self.lock().values().map(|tally| tally.count).sum()
    }

    /// How many of them were tries after the first.
    pub fn retries(&self) -> usize {
        self.retries.load(Ordering::Relaxed)
    }

    /// By service.
    pub fn by_service(&self) -> BTreeMap<String, Tally> {
        let mut services: BTreeMap<String, Tally> = BTreeMap::new();
        for ((service, _), tally) in self.lock().iter() {
            let of_service = services.entry(service.clone()).or_default();
            of_service.count += tally.count;
            of_service.time += tally.time;
        }
        services
    }

    /// By `service:Operation`.
    pub fn by_operation(&self) -> BTreeMap<String, Tally> {
        let made = self.lock();
        made.iter().map(|((service, operation), tally)| (format!("{service}:{operation}"), *tally)).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, String), Tally>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, service: &str, operation: &str, time: Duration) {
        let mut made = self.lock();
        let tally =
            made.entry((service.to_ascii_lowercase().replace(' ', ""), operation.to_owned())).or_default();
        tally.count += 1;
        tally.time += time;
    }
}

/// When a request was sent.
#[derive(Debug)]
struct Sent(Instant);

impl Storable for Sent {
    type Storer = StoreReplace<Sent>;
}

#[dyn_dispatch_hint]
impl Intercept for Calls {
    fn name(&self) -> &'static str {
        "calls"
    }

    fn read_before_attempt(
        &self,
        _request: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if bag.load::<RequestAttempts>().is_some_and(|attempts| attempts.attempts() > 1) {
            self.retries.fetch_add(1, Ordering::Relaxed);
        }
        bag.interceptor_state().store_put(Sent(Instant::now()));
        Ok(())
    }

    fn read_after_attempt(
        &self,
        _answer: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let (Some(Sent(at)), Some(metadata)) = (bag.load::<Sent>(), bag.load::<Metadata>()) {
            self.add(metadata.service(), metadata.name(), at.elapsed());
        }
        Ok(())
    }
}

#[test]
fn requests_are_summed_by_service_and_by_operation() {
    let calls = Calls::default();
    for (service, operation) in [("EC2", "DescribeVpcs"), ("EC2", "DescribeSubnets"), ("IAM", "GetRole")] {
        calls.add(service, operation, Duration::from_millis(20));
    }
    calls.add("IAM", "GetRole", Duration::from_millis(10));
    calls.add("Route 53", "ListHostedZonesByVPC", Duration::from_millis(5));
    assert_eq!(calls.count(), 5);
    let told = |tallies: BTreeMap<String, Tally>| -> Vec<String> {
        tallies.iter().map(|(of, tally)| format!("{of} {} {:?}", tally.count, tally.time)).collect()
    };
    assert_eq!(told(calls.by_service()), ["ec2 2 40ms", "iam 2 30ms", "route53 1 5ms"]);
    assert_eq!(
        told(calls.by_operation()),
        [
            "ec2:DescribeSubnets 1 20ms",
            "ec2:DescribeVpcs 1 20ms",
            "iam:GetRole 2 30ms",
            "route53:ListHostedZonesByVPC 1 5ms"
        ]
    );
}
