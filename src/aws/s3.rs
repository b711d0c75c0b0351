//! S3: objects below a prefix of a bucket, each written only under a condition.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::{Region, SdkConfig};
use aws_sdk_s3::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_s3::primitives::{ByteStream, DateTime, DateTimeFormat};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::{Connection, Refused};

/// A bucket that exists. It is never made, and nothing in it is ever deleted.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: aws_sdk_s3::Client,
    name: String,
}

/// An object as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its ETag, which every write changes that changes the content.
    pub tag: String,
    /// The time since it was written, by the clock of S3 alone.
    pub age: Duration,
}

/// When an object is to be written.
#[derive(Clone, Copy, Debug)]
pub enum Only<'a> {
    /// There is none of the name: `If-None-Match: *`.
    New,
    /// It still has this ETag: `If-Match`.
    Unchanged(&'a str),
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// It was made, and the object has this ETag now.
    Done(String),
    /// The condition did not hold; nothing was written.
    Unmet,
}

/// How often a write is tried again that met another one at the same moment (`ConditionalRequestConflict`).
const CONFLICTS: usize = 5;

impl Bucket {
    /// Finds a bucket with the credentials and the region of the SDK's environment, and its own region where that is
    /// another. Something is listed, so that whatever is wrong shows now.
    ///
    /// # Errors
    /// There is no such bucket, it may not be listed, or S3 is out of reach.
    pub async fn open(name: &str, prefix: &str) -> Result<Bucket, Refused> {
        let config = match Connection::default().load().await {
            Ok(config) => config,
            // A bucket is found from any region.
            Err(_) => {
                let anywhere = Connection { region: Some("us-east-1".to_owned()), ..Connection::default() };
                anywhere.load().await.map_err(|error| Refused::never_sent(LIST, &error.to_string()))?
            }
        };
        let bucket = Bucket { client: client(&config), name: name.to_owned() };
        let Err(error) = bucket.first(prefix).await else { return Ok(bucket) };
        let home = error.raw_response().and_then(|answer| answer.headers().get("x-amz-bucket-region"));
        match home.filter(|home| config.region().is_some_and(|region| region.as_ref() != *home)) {
            None => Err(bucket.refused(LIST, prefix, &error)),
            Some(home) => {
                let config = config.clone().into_builder().region(Region::new(home.to_owned())).build();
                let bucket = Bucket { client: client(&config), ..bucket };
                let first = bucket.first(prefix).await;
                first.map_err(|error| bucket.refused(LIST, prefix, &error))?;
                Ok(bucket)
            }
        }
    }

    /// `s3:GetObject`; nothing where there is no such object.
    ///
    /// # Errors
    /// What S3 answered.
    pub async fn get(&self, key: &str) -> Result<Option<Object>, Refused> {
        let date = Date::default();
        let ask = self.client.get_object().bucket(&self.name).key(key);
        let answer = match ask.customize().interceptor(date.clone()).send().await {
            Ok(answer) => answer,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(self.refused(GET, key, &error)),
        };
        let unclear =
            |because: &str| Refused { resource: self.address(key), ..Refused::never_sent(GET, because) };
        let tag = answer.e_tag.ok_or_else(|| unclear("the answer has no ETag"))?;
        let age = answer.last_modified.map(|written| date.now().secs() - written.secs());
        let age = Duration::from_secs(age.and_then(|age| u64::try_from(age).ok()).unwrap_or_default());
        let bytes = answer.body.collect().await.map_err(|error| Refused {
            reason: super::Reason::Network,
            ..unclear(&format!("the answer ended early: {error}"))
        })?;
        Ok(Some(Object { bytes: bytes.to_vec(), tag, age }))
    }

    /// `s3:PutObject` under a condition.
    ///
    /// # Errors
    /// What S3 answered. Where the answer was lost, the object may have been written.
    pub async fn put(&self, key: &str, bytes: &[u8], only: Only<'_>) -> Result<Put, Refused> {
        for attempt in 1.. {
            let ask = self.client.put_object().bucket(&self.name).key(key).content_type("application/json");
            let ask = match only {
                Only::New => ask.if_none_match("*"),
                Only::Unchanged(tag) => ask.if_match(tag),
            };
            let error = match ask.body(ByteStream::from(bytes.to_vec())).send().await {
                Ok(answer) => return Ok(Put::Done(answer.e_tag.unwrap_or_default())),
                Err(error) => error,
            };
            match error.code() {
                // With `If-Match`, an object that is gone is not found.
                Some("PreconditionFailed" | "NoSuchKey") => return Ok(Put::Unmet),
                Some("ConditionalRequestConflict") if attempt < CONFLICTS => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                _ => return Err(self.refused(PUT, key, &error)),
            }
        }
        Ok(Put::Unmet)
    }

    /// `s3:ListBucket`: the keys below a prefix, sorted. With a delimiter, those that have it are cut after it, and each
    /// is named once.
    ///
    /// # Errors
    /// What S3 answered.
    pub async fn list(&self, prefix: &str, delimiter: Option<&str>) -> Result<Vec<String>, Refused> {
        let mut keys = Vec::new();
        let mut token = None;
        loop {
            let ask = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
            let ask = ask.set_delimiter(delimiter.map(str::to_owned)).set_continuation_token(token.take());
            let page = ask.send().await.map_err(|error| self.refused(LIST, prefix, &error))?;
            keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
            keys.extend(
                page.common_prefixes.unwrap_or_default().into_iter().filter_map(|below| below.prefix),
            );
            match page.next_continuation_token.filter(|_| page.is_truncated == Some(true)) {
                Some(next) => token = Some(next),
                None => break,
            }
        }
        keys.sort();
        Ok(keys)
    }

    async fn first(&self, prefix: &str) -> Result<(), SdkError<ListError>> {
        self.client.list_objects_v2().bucket(&self.name).prefix(prefix).max_keys(1).send().await.map(drop)
    }

    fn refused<E>(&self, call: &'static str, key: &str, error: &SdkError<E>) -> Refused
    where
        E: aws_sdk_s3::error::ProvideErrorMetadata + std::error::Error + 'static,
    {
        Refused::from_sdk(call, &self.address(key), error)
    }

    fn address(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }
}

type ListError = aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error;

/// Named as the permissions that they need.
const GET: &str = "s3:GetObject";
const LIST: &str = "s3:ListBucket";
const PUT: &str = "s3:PutObject";

fn client(config: &SdkConfig) -> aws_sdk_s3::Client {
    // Whatever stands behind an address of its own need not answer to a host name for each bucket.
    let own_address = config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(own_address);
    aws_sdk_s3::Client::from_conf(config.build())
}

/// The clock of S3, as its answer tells it.
#[derive(Clone, Debug, Default)]
struct Date(Arc<Mutex<Option<DateTime>>>);

impl Date {
    /// That of this machine where S3 did not say.
    fn now(&self) -> DateTime {
        let told = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.unwrap_or_else(|| SystemTime::now().into())
    }
}

#[dyn_dispatch_hint]
impl Intercept for Date {
    fn name(&self) -> &'static str {
        "date"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}
