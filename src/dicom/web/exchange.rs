//! One question and its answer: redirects, statuses, and asking again.

use super::archives::Archive;
use super::error::WebError;
use super::root;
use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use std::error::Error;
use std::future::Future;
use std::io;
use std::time::Duration;
use url::Url;

/// Longest wait for the first bytes of an answer. Some archives fetch a series from tape first.
const ANSWER: Duration = Duration::from_secs(60);

/// Slowest upload that is waited for, bytes per second.
const SLOWEST_UPLOAD: u64 = 64 << 10;

/// Most redirects in a row: one to another server, one to https, one for luck.
const MAX_REDIRECTS: usize = 3;

/// Asked again after 0.25, 0.5, 1, 2 and 4 s, each up to doubled by chance: an archive that restarts is
/// back by then, and many clients do not come back all at once.
const RETRIES: usize = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Longest Retry-After that is waited for; the client is better told than kept waiting.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// A question.
#[derive(Clone)]
pub(super) struct Ask {
    /// For messages: "the list of series", "instance 1.2.3".
    pub what: &'static str,
    pub url: Url,
    pub accept: &'static str,
    /// Content-Type and body of a POST; none for a GET.
    pub body: Option<(String, Bytes)>,
}

/// Asks until an answer comes or nothing can be hoped for.
pub(super) async fn retried<T, F, A>(attempt: A) -> Result<T, WebError>
where
    F: Future<Output = Result<T, WebError>>,
    A: FnMut() -> F,
{
    let pauses = ExponentialBuilder::new()
        .with_min_delay(FIRST_PAUSE)
        .with_factor(2.0)
        .with_max_times(RETRIES)
        .with_jitter();
    attempt.retry(pauses).when(WebError::is_transient).adjust(pause).await
}

/// The archive's own wish goes before ours, unless it is too long.
fn pause(error: &WebError, ours: Option<Duration>) -> Option<Duration> {
    let ours = ours?;
    match error {
        WebError::Http { retry_after: Some(wish), .. } => (*wish <= MAX_RETRY_AFTER).then(|| ours.max(*wish)),
        _ => Some(ours),
    }
}

impl Archive {
    /// Asks once and follows redirects as far as the list allows. The answer has any status but a
    /// redirect's.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Response, WebError> {
        let (mut url, mut entry) = (ask.url.clone(), self.entry);
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(ask, &url, entry).await?;
            if !is_redirect(response.status(), ask.body.is_some()) {
                return Ok(response);
            }
            (url, entry) = self.target(ask, &url, &response)?;
        }
        Err(WebError::malformed(ask.what, format!("more than {MAX_REDIRECTS} redirects")))
    }

    /// Credentials go to the archive they are for and to no other.
    async fn send(&self, ask: &Ask, url: &Url, entry: usize) -> Result<Response, WebError> {
        let method = if ask.body.is_some() { Method::POST } else { Method::GET };
        let mut request = self.archives.http(entry).request(method, url.clone()).header(ACCEPT, ask.accept);
        if let Some(value) = self.authorization.as_ref().filter(|_| entry == self.entry) {
            request = request.header(AUTHORIZATION, value.clone());
        }
        let mut wait = ANSWER;
        if let Some((content_type, body)) = &ask.body {
            wait += Duration::from_secs(body.len() as u64 / SLOWEST_UPLOAD);
            request = request.header(CONTENT_TYPE, content_type).body(body.clone());
        }
        let silence = |_| WebError::unreachable(ask.what, format!("no answer within {} s", wait.as_secs()));
        let sent = tokio::time::timeout(wait, request.send()).await.map_err(silence)?;
        sent.map_err(|error| failure(ask.what, error))
    }

    /// Where a redirect leads, if the list allows it.
    fn target(&self, ask: &Ask, from: &Url, answer: &Response) -> Result<(Url, usize), WebError> {
        let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let url = location.and_then(|location| from.join(location).ok());
        let url = url.ok_or_else(|| WebError::malformed(ask.what, "a redirect to no address"))?;
        let allowed = root::check(&url).ok().and_then(|()| self.archives.entry(&url));
        let refused = || WebError::RedirectNotAllowed { origin: url.origin().ascii_serialization() };
        let entry = allowed.ok_or_else(refused)?;
        Ok((url, entry))
    }
}

/// A body is sent again only where the archive says that the method stays the same.
fn is_redirect(status: StatusCode, with_body: bool) -> bool {
    match status.as_u16() {
        307 | 308 => true,
        301..=303 => !with_body,
        _ => false,
    }
}

/// Success, or the error that the status stands for. What the body says is not read: it may quote the
/// request, and the request holds credentials.
pub(super) fn success(what: &'static str, answer: Response) -> Result<Response, WebError> {
    let status = answer.status().as_u16();
    match status {
        200..=299 => Ok(answer),
        401 | 403 => Err(WebError::Unauthorized { status }),
        _ => Err(WebError::Http { what, status, retry_after: retry_after(&answer) }),
    }
}

/// Retry-After in seconds; the other form, a date, is as good as none.
fn retry_after(answer: &Response) -> Option<Duration> {
    let value = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

/// What the client says, without the address: our own judgement of an address, or the root cause.
pub(super) fn failure(what: &'static str, error: reqwest::Error) -> WebError {
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    loop {
        if let Some(judged) = cause.downcast_ref::<WebError>() {
            return judged.clone();
        }
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return WebError::Tls { reason: tls.to_string() };
        }
        match deeper(cause) {
            Some(deeper) => cause = deeper,
            None => return WebError::unreachable(what, cause.to_string()),
        }
    }
}

/// What an error was made of. `source` of an error of input and output passes over what it wraps.
fn deeper<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}
