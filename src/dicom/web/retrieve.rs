//! WADO-RS: one instance, as the archive keeps it.

use super::allowance::{Allowance, Total};
use super::archives::Archive;
use super::body::{pieces, whole};
use super::error::WebError;
use super::exchange::{Ask, retried, success};
use super::uid::SeriesRef;
use crate::dicom::part10;
use mime::Mime;
use multer::{Constraints, Multipart, SizeLimit};
use reqwest::Response;
use reqwest::header::CONTENT_TYPE;

const WHAT: &str = "an instance";

/// Any transfer syntax: what is compressed stays compressed on its way.
const ACCEPT: &str = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";

impl Archive {
    /// The Part 10 file of an instance, which is the one asked for.
    pub(super) async fn retrieve(
        &self,
        series: &SeriesRef,
        sop_instance_uid: &str,
        total: &Total,
    ) -> Result<Vec<u8>, WebError> {
        let SeriesRef { study_uid, series_uid } = series;
        let url = self.below(&["studies", study_uid, "series", series_uid, "instances", sop_instance_uid]);
        let ask = Ask { what: WHAT, url, accept: ACCEPT, body: None };
        let file = retried(|| async {
            let answer = success(WHAT, self.ask(&ask).await?)?;
            let mut allowance = total.allowance();
            let file = part10_of(answer, &mut allowance).await?;
            allowance.keep();
            Ok(file)
        })
        .await
        .map_err(|error| gone(error, sop_instance_uid))?;
        let found =
            part10::sop_instance_uid(&file, total.each()).unwrap_or_else(|| "no DICOM file".to_owned());
        if found != sop_instance_uid {
            return Err(WebError::WrongInstance { asked: sop_instance_uid.to_owned(), found });
        }
        Ok(file)
    }
}

/// 404 and 410 say that an instance is not there.
fn gone(error: WebError, sop_instance_uid: &str) -> WebError {
    match error {
        WebError::Http { status: 404 | 410, .. } => {
            WebError::MissingInstance { sop_instance_uid: sop_instance_uid.to_owned() }
        }
        error => error,
    }
}

/// The file in an answer: the only part of `multipart/related`, or the body itself.
async fn part10_of(answer: Response, allowance: &mut Allowance) -> Result<Vec<u8>, WebError> {
    let content_type = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type: Mime = content_type
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| WebError::malformed(WHAT, "no readable Content-Type"))?;
    match (content_type.type_().as_str(), content_type.get_param(mime::BOUNDARY)) {
        ("multipart", Some(boundary)) => only_part(answer, boundary.as_str(), allowance).await,
        ("application", _) => whole(WHAT, answer, allowance).await,
        _ => Err(WebError::malformed(WHAT, format!("Content-Type {}", content_type.essence_str()))),
    }
}

async fn only_part(answer: Response, boundary: &str, allowance: &mut Allowance) -> Result<Vec<u8>, WebError> {
    // The allowance counts; multer's own default is no limit.
    let constraints = Constraints::new().size_limit(SizeLimit::new().whole_stream(u64::MAX));
    let stream = pieces(WHAT, answer, allowance);
    let mut parts = Multipart::with_constraints(stream, boundary, constraints);
    let Some(part) = parts.next_field().await.map_err(of_multipart)? else {
        return Err(WebError::malformed(WHAT, "no part in it"));
    };
    let file = part.bytes().await.map_err(of_multipart)?;
    if parts.next_field().await.map_err(of_multipart)?.is_some() {
        return Err(WebError::malformed(WHAT, "more than one part in it"));
    }
    Ok(file.into())
}

/// Our own errors come back as they went in; an end before the last boundary is a broken connection.
fn of_multipart(error: multer::Error) -> WebError {
    match error {
        multer::Error::StreamReadFailed(error) => match error.downcast::<WebError>() {
            Ok(ours) => *ours,
            Err(error) => WebError::unreachable(WHAT, error.to_string()),
        },
        multer::Error::IncompleteFieldData { .. }
        | multer::Error::IncompleteHeaders
        | multer::Error::IncompleteStream => WebError::unreachable(WHAT, "the answer was cut off"),
        error => WebError::malformed(WHAT, error.to_string()),
    }
}
