//! The body of an answer, piece by piece: counted while it comes, given up when it falls silent.

use super::allowance::Allowance;
use super::error::WebError;
use super::exchange::failure;
use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::stream::{self, Stream};
use reqwest::Response;
use std::time::Duration;

/// Longest silence within a body.
const SILENCE: Duration = Duration::from_secs(30);

/// The pieces. What the header says of the length is not believed; an error ends them.
pub(super) fn pieces<'a>(
    what: &'static str,
    answer: Response,
    allowance: &'a mut Allowance,
) -> impl Stream<Item = Result<Bytes, WebError>> + Send + 'a {
    stream::try_unfold((answer, allowance), move |(mut answer, allowance)| async move {
        let silence = |_| WebError::unreachable(what, format!("silent for {} s", SILENCE.as_secs()));
        let piece = tokio::time::timeout(SILENCE, answer.chunk()).await.map_err(silence)?;
        let Some(piece) = piece.map_err(|error| failure(what, error))? else { return Ok(None) };
        allowance.take(piece.len())?;
        Ok(Some((piece, (answer, allowance))))
    })
}

/// The body as a whole.
pub(super) async fn whole(
    what: &'static str,
    answer: Response,
    allowance: &mut Allowance,
) -> Result<Vec<u8>, WebError> {
    pieces(what, answer, allowance)
        .try_fold(Vec::new(), |mut all, piece| async move {
            all.extend_from_slice(&piece);
            Ok(all)
        })
        .await
}
