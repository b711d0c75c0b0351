//! Reading lists to their end, page by page, and turning their rows into ours.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::future::Future;
use std::str::FromStr;

use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};

use super::Refused;

/// A row of an answer that says something that we cannot read, such as an address that is none.
#[derive(Debug)]
pub(super) struct Unclear(pub(super) String);

impl Unclear {
    /// What was there, and why it cannot be read.
    pub(super) fn new(text: &str, error: &dyn Display) -> Unclear {
        Unclear(format!("{text:?} cannot be read: {error}"))
    }
}

/// A row of ours that a row of the SDK is read as.
pub(super) trait Understand<Theirs>: Sized {
    /// Takes over what we use of it.
    ///
    /// # Errors
    /// Something in it cannot be read.
    fn understand(theirs: Theirs) -> Result<Self, Unclear>;
}

/// Names are what they are.
impl Understand<String> for String {
    fn understand(name: String) -> Result<String, Unclear> {
        Ok(name)
    }
}

/// Asks for page after page. `send` asks for the page of a token, `open` takes an answer apart.
///
/// # Errors
/// What AWS answered; a row that cannot be read; a token that comes back, which would never end.
pub(super) async fn pages<Page, E, Sent, Theirs, Ours>(
    call: &'static str,
    resource: &str,
    send: impl Fn(Option<String>) -> Sent,
    open: impl Fn(Page) -> (Option<Vec<Theirs>>, Option<String>),
) -> Result<Vec<Ours>, Refused>
where
    Sent: Future<Output = Result<Page, SdkError<E>>>,
    E: ProvideErrorMetadata + std::error::Error + 'static,
    Ours: Understand<Theirs>,
{
    let mut rows = Vec::new();
    let mut tokens = BTreeSet::new();
    let mut token = None;
    loop {
        let page = send(token).await.map_err(|error| Refused::from_sdk(call, resource, &error))?;
        let (theirs, next) = open(page);
        let ours: Vec<Ours> = all(theirs).map_err(|unclear| Refused::unclear(call, resource, unclear))?;
        rows.extend(ours);
        match next.filter(|next| !next.is_empty()) {
            None => return Ok(rows),
            Some(next) if !tokens.insert(next.clone()) => {
                let because = "the same page token came twice";
                return Err(Refused { resource: resource.to_owned(), ..Refused::never_sent(call, because) });
            }
            next => token = next,
        }
    }
}

/// Rows of theirs as rows of ours.
pub(super) fn all<Theirs, Ours>(rows: Option<Vec<Theirs>>) -> Result<Vec<Ours>, Unclear>
where
    Ours: Understand<Theirs>,
{
    rows.unwrap_or_default().into_iter().map(Ours::understand).collect()
}

/// One row of theirs as one of ours, where there is one.
pub(super) fn one<Theirs, Ours>(row: Option<Theirs>) -> Result<Option<Ours>, Unclear>
where
    Ours: Understand<Theirs>,
{
    row.map(Ours::understand).transpose()
}

/// A text with a syntax of its own, such as an address or a block.
pub(super) fn parsed<T: FromStr<Err: Display>>(text: Option<String>) -> Result<Option<T>, Unclear> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|error| Unclear::new(&text, &error))
}

#[cfg(test)]
mod tests {
    use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError;

    use super::*;

    type Page = (Vec<String>, Option<String>);

    async fn read(answers: impl Fn(Option<String>) -> Page) -> Result<Vec<String>, Refused> {
        let send = |token| {
            let page = answers(token);
            async move { Ok::<_, SdkError<GetCallerIdentityError>>(page) }
        };
        pages("x:List", "all", send, |(rows, token): Page| (Some(rows), token)).await
    }

    #[tokio::test]
    async fn every_page_is_read() {
        let answer = |token: Option<String>| match token.as_deref() {
            None => (vec!["a".to_owned()], Some("2".to_owned())),
            Some("2") => (vec![], Some("3".to_owned())),
            _ => (vec!["b".to_owned()], Some(String::new())),
        };
        assert_eq!(read(answer).await.unwrap(), ["a", "b"]);
    }

    #[tokio::test]
    async fn tokens_that_come_back_are_an_error_and_no_end() {
        let answer = |token: Option<String>| {
            let next = if token.as_deref() == Some("1") { "2" } else { "1" };
            (vec!["a".to_owned()], Some(next.to_owned()))
        };
        let refused = read(answer).await.unwrap_err();
        assert_eq!(refused.to_string(), "x:List on all: the same page token came twice");
    }

    #[test]
    fn what_cannot_be_read_is_no_row() {
        assert!(parsed::<std::net::Ipv4Addr>(Some("10.0.0.300".to_owned())).is_err());
        assert!(matches!(parsed::<std::net::Ipv4Addr>(Some(String::new())), Ok(None)));
    }
}
